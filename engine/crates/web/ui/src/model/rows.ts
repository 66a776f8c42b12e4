// A table that the stream keeps up to date: it sends a row when that is new or has changed.

import type { Change } from './types';

export class Rows<T> {
  readonly #key: (row: T) => string;
  readonly #compare: (a: T, b: T) => number;
  readonly #byKey = new Map<string, T>();
  #list: readonly T[] = [];

  /** `key` is what makes a row the same one as before; `compare` the order of the list. */
  constructor(key: (row: T) => string, compare: (a: T, b: T) => number) {
    this.#key = key;
    this.#compare = compare;
  }

  /** All rows in their order. Another array only when a row is another. */
  get list(): readonly T[] {
    return this.#list;
  }

  merge({ all, rows }: Change<T>): void {
    if (!all && rows.length === 0) return;
    if (all) this.#byKey.clear();
    for (const row of rows) this.#byKey.set(this.#key(row), row);
    this.#list = [...this.#byKey.values()].sort(this.#compare);
  }
}
