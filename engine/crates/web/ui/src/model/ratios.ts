// How often each class and task runs: the tree of `/tasks` as the lines of a table.

import type { UserClass } from './types';

/** A class, a task or a set, as the server tells it. */
export interface Share {
  ratio: number;
  tasks?: Record<string, Share>;
}

export interface Tasks {
  per_class: Record<string, Share>;
}

export interface RatioRow {
  /** From the class on: `Shopper › checkout › pay`. */
  name: string;
  /** Of a class: its users alive. */
  users: number | null;
  /** Its part of its class or set, from 0 to 1; of a class: of all users. */
  own: number;
  /** Its part of all users and what they do, from 0 to 1. */
  total: number;
}

const STEP = ' › ';

export function ratioRows(classes: readonly UserClass[], tasks: Tasks | null): RatioRow[] {
  const all = classes.reduce((sum, one) => sum + one.user_count, 0);
  return classes
    .filter((one) => one.runs)
    .flatMap((one) => {
      const share = all === 0 ? 0 : one.user_count / all;
      const row = { name: one.name, users: one.user_count, own: share, total: share };
      return [row, ...below(one.name, share, tasks?.per_class[one.name]?.tasks)];
    });
}

function below(path: string, of: number, tasks: Record<string, Share> | undefined): RatioRow[] {
  return Object.entries(tasks ?? {}).flatMap(([task, share]) => {
    const name = path + STEP + task;
    const total = of * share.ratio;
    return [{ name, users: null, own: share.ratio, total }, ...below(name, total, share.tasks)];
  });
}
