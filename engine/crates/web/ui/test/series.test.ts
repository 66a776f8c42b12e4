import { describe, expect, it } from 'vitest';
import { columnsOf, emptySeries, mergeSeconds } from '../src/model/series';
import type { Second } from '../src/model/types';

function second(at_ms: number, requests: number, times: [number, number] | null = null): Second {
  return { at_ms, users: 3, in_flight: 2, requests, failures: 1, p50_p95_ms: times };
}

function merged(...steps: [oldest: number | null, seconds: Second[]][]) {
  const series = emptySeries();
  for (const [oldest, seconds] of steps) mergeSeconds(series, oldest, seconds);
  return series;
}

describe('mergeSeconds', () => {
  it('appends new seconds to every column', () => {
    const series = merged([1000, [second(1000, 5, [8, 9])]], [1000, [second(2000, 6)]]);
    expect(series).toEqual({
      atMs: [1000, 2000],
      requests: [5, 6],
      failures: [1, 1],
      users: [3, 3],
      inFlight: [2, 2],
      p50: [8, null],
      p95: [9, null],
    });
  });

  it('replaces a second that came again and puts a late one in its place', () => {
    const first: [number, Second[]] = [1000, [second(1000, 1), second(3000, 3), second(4000, 4)]];
    const series = merged(first, [1000, [second(2000, 2), second(3000, 33), second(5000, 5)]]);
    expect(series.atMs).toEqual([1000, 2000, 3000, 4000, 5000]);
    expect(series.requests).toEqual([1, 2, 33, 4, 5]);
  });

  it('forgets what the server forgot', () => {
    const all = [1000, 2000, 3000].map((at) => second(at, at));
    expect(merged([1000, all], [2000, [second(4000, 4)]]).atMs).toEqual([2000, 3000, 4000]);
    expect(merged([1000, all], [9000, [second(9000, 1)]]).atMs).toEqual([9000]);
    expect(merged([1000, all], [null, []])).toEqual(emptySeries());
  });

  it('survives a reconnect, when everything is sent again', () => {
    const all = [1000, 2000, 3000].map((at) => second(at, at));
    expect(merged([1000, all], [1000, all])).toEqual(merged([1000, all]));
  });

  it('tells whether there is something to draw', () => {
    const series = emptySeries();
    expect(mergeSeconds(series, null, [])).toBe(false);
    expect(mergeSeconds(series, 1000, [second(1000, 1)])).toBe(true);
    expect(mergeSeconds(series, 1000, [])).toBe(false);
    expect(mergeSeconds(series, null, [])).toBe(true);
  });
});

describe('columnsOf', () => {
  it('has Unix seconds, and nothing where no second was', () => {
    const series = merged([1000, [second(1000, 5), second(2000, 6), second(9000, 7)]]);
    const columns = columnsOf(series, 1_000_000);
    expect(columns.at).toEqual([1001, 1002, 1008.5, 1009]);
    expect(columns.requests).toEqual([5, 6, null, 7]);
    expect(columns.users).toEqual([3, 3, null, 3]);
  });

  it('is at whole seconds, where the marks of the axis and the legend are', () => {
    const series = merged([900, [second(900, 5), second(1900, 6)]]);
    expect(columnsOf(series, 1_000_000).at).toEqual([1001, 1002]);
    expect(columnsOf(series, 1_000_300).at).toEqual([1001, 1002]);
  });
});
