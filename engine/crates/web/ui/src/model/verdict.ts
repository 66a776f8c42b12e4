// What the figures of a view come to. Pure functions.

import { count } from './format';
import type { View, Worker } from './types';

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

/** Whether the master says that the generator, or a load thread of a worker, is late. */
export function isLate(view: View): boolean {
  return view.stats.late || view.workers.some(({ lateness_ms: late }) => late?.late ?? false);
}

/** What a table of requests says that has no row: a target that hangs is not a test at rest. */
export function whyNoRequest(view: View, isActive: boolean): string {
  const { in_flight: inFlight, stats } = view;
  if (inFlight === 1) return '1 request on its way, not answered yet.';
  if (inFlight > 1) return `${count(inFlight)} requests on their way, none answered yet.`;
  if (isActive) return 'No request yet.';
  return stats.interrupted + stats.unsent > 0 ? 'No request was answered.' : 'No request was made.';
}
