// Order of tables.

export interface Order {
  column: string;
  descending: boolean;
}

export type Key = string | number;

/** A sorted copy. Rows that are equal keep their order, so a live table stays calm. */
export function sorted<T>(
  rows: readonly T[],
  order: Order | null,
  keys: Readonly<Record<string, (row: T) => Key>>,
): readonly T[] {
  const key = order && keys[order.column];
  if (!order || !key) return rows;
  const sign = order.descending ? -1 : 1;
  return rows
    .map((row) => ({ row, key: key(row) }))
    .sort((a, b) => sign * compare(a.key, b.key))
    .map(({ row }) => row);
}

function compare(a: Key, b: Key): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return naturally(String(a), String(b));
}

/** Of one language, whatever the reader's: two people who look at one test see the same order. */
const COLLATOR = new Intl.Collator('en', { numeric: true });

/** Texts as people sort them: /page/2 before /page/10. */
export function naturally(a: string, b: string): number {
  return COLLATOR.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

/**
 * The order after a click on a column's head: first the direction that `descendingFirst` says,
 * then the other, then the order that the rows come in.
 */
export function nextOrder(
  order: Order | null,
  column: string,
  descendingFirst: boolean,
): Order | null {
  if (order?.column !== column) return { column, descending: descendingFirst };
  if (order.descending === descendingFirst) return { column, descending: !descendingFirst };
  return null;
}
