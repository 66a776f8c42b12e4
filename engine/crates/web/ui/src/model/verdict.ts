// What the figures of a view come to. Pure functions.

import { ms } from './format';
import type { View, Worker } from './types';

/**
 * With a 99th percentile of lateness above this the figures say more about the generator than about
 * the target. The same bound as in the result; see `view.rs` of the master.
 */
export const LATE_MS = 100;

/** Length of the test in seconds: until now while it runs, and then until its end. */
export function elapsedSeconds(view: View): number | null {
  if (view.test_start_ms === null) return null;
  return Math.max(0, (view.test_end_ms ?? view.now_ms) - view.test_start_ms) / 1000;
}

/** Workers that are there. Who has left in order is as little missed as who never came. */
export function workersThere(workers: readonly Worker[]): readonly Worker[] {
  return workers.filter(({ state }) => state !== 'lost' && state !== 'left');
}

/** Workers that are gone without a goodbye. */
export function workersLost(workers: readonly Worker[]): number {
  return workers.filter(({ state }) => state === 'lost').length;
}

/** Why the figures cannot be trusted, if the generator was late. */
export function lateWarning(view: View): string | null {
  const p99 = view.stats.lateness_ms?.[1] ?? 0;
  if (p99 > LATE_MS) {
    return (
      `The generator is late: 1 % of the tasks started ${ms(p99)} ms or more after they were due. ` +
      'The figures say more about it than about the target: give it more workers, or the workers ' +
      'more CPU.'
    );
  }
  const latest = view.workers.reduce<Worker | null>((late, worker) => {
    const of = (one: Worker | null): number => one?.lateness_ms?.worst.p99 ?? 0;
    return of(worker) > Math.max(LATE_MS, of(late)) ? worker : late;
  }, null);
  if (latest?.lateness_ms) {
    const { worst, worst_shard: thread } = latest.lateness_ms;
    return (
      `Worker ${latest.id} is late: 1 % of the tasks of its load thread ${thread} started ` +
      `${ms(worst.p99)} ms or more after they were due. Give it fewer users or more CPU.`
    );
  }
  return null;
}
