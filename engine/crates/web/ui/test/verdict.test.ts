import { describe, expect, it } from 'vitest';
import { inSight, noticeKey, notWarned } from '../src/model/notices';
import { ratioRows } from '../src/model/ratios';
import type { View, Worker } from '../src/model/types';
import {
  elapsedSeconds,
  isLate,
  whyNoRequest,
  workersLost,
  workersThere,
} from '../src/model/verdict';

function view(parts: Partial<View>): View {
  return { test_start_ms: null, test_end_ms: null, now_ms: 0, workers: [], ...parts } as View;
}

function worker(id: string, state: string, late = false): Worker {
  return { id, state, lateness_ms: { late } } as Worker;
}

describe('elapsedSeconds', () => {
  it('runs with the test and stands still after its end', () => {
    expect(elapsedSeconds(view({ now_ms: 9_000 }))).toBeNull();
    const running = { test_start_ms: 1_000, now_ms: 23_000 };
    expect(elapsedSeconds(view(running))).toBe(22);
    const over = { ...running, test_end_ms: 23_500 };
    expect(elapsedSeconds(view({ ...over, now_ms: 24_000 }))).toBe(22.5);
    expect(elapsedSeconds(view({ ...over, now_ms: 99_000 }))).toBe(22.5);
  });
});

describe('isLate', () => {
  const stats = (late: boolean) => ({ late }) as View['stats'];
  it('is as the master says, of all or of one worker', () => {
    const calm = [{ ...worker('a', 'running'), lateness_ms: null }, worker('b', 'running')];
    expect(isLate(view({ stats: stats(false), workers: calm }))).toBe(false);
    expect(isLate(view({ stats: stats(true), workers: calm }))).toBe(true);
    const late = [...calm, worker('c', 'running', true)];
    expect(isLate(view({ stats: stats(false), workers: late }))).toBe(true);
  });
});

describe('whyNoRequest', () => {
  const hung = (in_flight: number, interrupted = 0, unsent = 0) =>
    view({ in_flight, stats: { interrupted, unsent } as View['stats'] });
  it('tells of what is on its way', () => {
    expect(whyNoRequest(hung(0), true)).toBe('No request yet.');
    expect(whyNoRequest(hung(1), true)).toBe('1 request on its way, not answered yet.');
    expect(whyNoRequest(hung(5_000), true)).toMatch(/^5\u202f000 requests on their way, none/);
  });
  it('knows after the end whether there was any', () => {
    expect(whyNoRequest(hung(0), false)).toBe('No request was made.');
    expect(whyNoRequest(hung(0, 5), false)).toBe('No request was answered.');
    expect(whyNoRequest(hung(0, 0, 5), false)).toBe('No request was answered.');
  });
});

describe('workers', () => {
  it('who has left is neither there nor lost', () => {
    const workers = [worker('a', 'running'), worker('b', 'lost'), worker('c', 'left')];
    expect(workersThere(workers).map(({ id }) => id)).toEqual(['a']);
    expect(workersLost(workers)).toBe(1);
  });
});

describe('inSight', () => {
  it('shows the two newest that were not put away', () => {
    const notices = [1, 2, 3, 4].map((at) => ({ at_ms: at, text: `notice ${at}` }));
    const texts = (put: Set<string>) => inSight(notices, 1_000, put).map(({ text }) => text);
    expect(texts(new Set())).toEqual(['notice 4', 'notice 3']);
    const put = new Set([noticeKey(1_000, notices[3]!), noticeKey(1_000, notices[1]!)]);
    expect(texts(put)).toEqual(['notice 3', 'notice 1']);
    // The same words of another master are news.
    expect(inSight(notices, 2_000, put).length).toBe(2);
  });
});

describe('notWarned', () => {
  it('leaves out what a warning says with newer figures', () => {
    const texts = ['the generator is late: by 1 ms', 'worker a was lost: closed'];
    const notices = texts.map((text) => ({ at_ms: 5, text }));
    expect(notWarned(notices, [])).toEqual(notices);
    expect(notWarned(notices, ['the generator was late: by 2 ms'])).toEqual([notices[1]]);
  });
});

describe('ratioRows', () => {
  const classes = [
    { name: 'Shopper', user_count: 3, runs: true },
    { name: 'Idler', user_count: 1, runs: true },
    { name: 'Other', user_count: 0, runs: false },
  ];
  it('is the tree line by line, with shares of the whole', () => {
    const pay = { ratio: 0.2, tasks: { card: { ratio: 0.5 } } };
    const shopper = { ratio: 0.75, tasks: { look: { ratio: 0.8 }, pay } };
    const rows = ratioRows(classes, { per_class: { Shopper: shopper } });
    expect(rows.map(({ name, users, own }) => [name, users, own])).toEqual([
      ['Shopper', 3, 0.75],
      ['Shopper › look', null, 0.8],
      ['Shopper › pay', null, 0.2],
      ['Shopper › pay › card', null, 0.5],
      ['Idler', 1, 0.25],
    ]);
    expect(rows.map(({ total }) => Number(total.toFixed(6)))).toEqual([
      0.75, 0.6, 0.15, 0.075, 0.25,
    ]);
  });
  it('is of nobody before a test', () => {
    const none = classes.map((one) => ({ ...one, user_count: 0 }));
    expect(ratioRows(none, null).map(({ total }) => total)).toEqual([0, 0]);
  });
});
