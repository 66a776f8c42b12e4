import { describe, expect, it } from 'vitest';
import { inSight, noticeKey } from '../src/model/notices';
import { ratioRows } from '../src/model/ratios';
import type { View, Worker } from '../src/model/types';
import { elapsedSeconds, lateWarning, workersLost, workersThere } from '../src/model/verdict';

function view(parts: Partial<View>): View {
  return { test_start_ms: null, test_end_ms: null, now_ms: 0, workers: [], ...parts } as View;
}

function worker(id: string, state: string, p99 = 0): Worker {
  const late = { p99, max: p99 };
  const lateness_ms = { ...late, worst_shard: 1, worst: late };
  return { id, state, lateness_ms } as Worker;
}

function late(p99: number, workers: Worker[] = []): View {
  return view({ workers, stats: { lateness_ms: [0, p99, p99] } as View['stats'] });
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

describe('lateWarning', () => {
  it('is silent up to the bound', () => {
    expect(lateWarning(late(100, [worker('a', 'running', 100)]))).toBeNull();
    expect(lateWarning(view({ stats: { lateness_ms: null } as View['stats'] }))).toBeNull();
  });
  it('names the generator, or the latest worker', () => {
    expect(lateWarning(late(14_156))).toMatch(/generator is late: .* 14\u202f156 ms/);
    const workers = [worker('a', 'running', 150), worker('b', 'running', 300)];
    expect(lateWarning(late(9, workers))).toMatch(/Worker b is late: .* thread 1 .* 300 ms/);
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
