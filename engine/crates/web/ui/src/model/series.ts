// The seconds of the test, merged from the stream into the columns that the charts draw.

import type { Second } from './types';

/** One array a curve, all of one length; `null` is a gap. */
export interface Series {
  /** Milliseconds of the master's clock. */
  atMs: number[];
  requests: number[];
  failures: number[];
  users: number[];
  inFlight: number[];
  p50: (number | null)[];
  p95: (number | null)[];
}

export function emptySeries(): Series {
  return { atMs: [], requests: [], failures: [], users: [], inFlight: [], p50: [], p95: [] };
}

/**
 * Takes new and changed seconds in and drops those before `oldestMs` (`null`: all).
 * A second that came before is replaced: a worker may report late. Changes `series` in place and
 * tells whether it did.
 */
export function mergeSeconds(
  series: Series,
  oldestMs: number | null,
  seconds: readonly Second[],
): boolean {
  const columns = Object.values(series) as (number | null)[][];
  const dropped = oldestMs === null ? series.atMs.length : position(series.atMs, oldestMs);
  if (dropped > 0) for (const column of columns) column.splice(0, dropped);
  for (const second of seconds) put(series, second);
  return dropped > 0 || seconds.length > 0;
}

function put(series: Series, second: Second): void {
  const at = position(series.atMs, second.at_ms);
  const replaced = series.atMs[at] === second.at_ms ? 1 : 0;
  const [p50, p95] = second.p50_p95_ms ?? [null, null];
  series.atMs.splice(at, replaced, second.at_ms);
  series.requests.splice(at, replaced, second.requests);
  series.failures.splice(at, replaced, second.failures);
  series.users.splice(at, replaced, second.users);
  series.inFlight.splice(at, replaced, second.in_flight);
  series.p50.splice(at, replaced, p50);
  series.p95.splice(at, replaced, p95);
}

/** Index of the first time that is not before `atMs`. New seconds come last, so ends go first. */
function position(times: readonly number[], atMs: number): number {
  const last = times.at(-1);
  if (last === undefined || last < atMs) return times.length;
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** More than this between two seconds is a gap, not a line. */
const STEP_MS_MAX = 1_500;

/**
 * The columns of the charts, with times in whole Unix seconds and a point of nothing in each gap.
 * A second of the test begins anywhere in a second of the clock; it is drawn at the nearest whole
 * one, which is also what the legend says.
 */
export interface Columns {
  at: number[];
  requests: (number | null)[];
  failures: (number | null)[];
  users: (number | null)[];
  inFlight: (number | null)[];
  p50: (number | null)[];
  p95: (number | null)[];
}

export function columnsOf(series: Series, originUnixMs: number): Columns {
  const columns: Columns = {
    at: [],
    requests: [],
    failures: [],
    users: [],
    inFlight: [],
    p50: [],
    p95: [],
  };
  let before: number | undefined;
  series.atMs.forEach((atMs, index) => {
    const at = Math.round((originUnixMs + atMs) / 1000);
    if (before !== undefined && atMs - before > STEP_MS_MAX) push(columns, at - 0.5, null);
    push(columns, at, index);
    before = atMs;
  });
  return columns;

  function push(to: Columns, at: number, index: number | null): void {
    const value = (column: (number | null)[]): number | null =>
      index === null ? null : (column[index] ?? null);
    to.at.push(at);
    to.requests.push(value(series.requests));
    to.failures.push(value(series.failures));
    to.users.push(value(series.users));
    to.inFlight.push(value(series.inFlight));
    to.p50.push(value(series.p50));
    to.p95.push(value(series.p95));
  }
}
