import { describe, expect, it } from 'vitest';
import { Rows } from '../src/model/rows';
import { naturally } from '../src/model/sort';

interface Row {
  name: string;
  requests: number;
}

const rows = () =>
  new Rows<Row>(
    (row) => row.name,
    (a, b) => naturally(a.name, b.name),
  );
const row = (name: string, requests = 1): Row => ({ name, requests });

describe('Rows', () => {
  it('takes new and changed rows in, in order', () => {
    const table = rows();
    table.merge({ all: true, rows: [row('/page/10'), row('/page/2')] });
    expect(table.list.map(({ name }) => name)).toEqual(['/page/2', '/page/10']);
    table.merge({ all: false, rows: [row('/page/1'), row('/page/2', 5)] });
    expect(table.list).toEqual([row('/page/1'), row('/page/2', 5), row('/page/10')]);
  });
  it('forgets the old rows when it is told to', () => {
    const table = rows();
    table.merge({ all: true, rows: [row('a'), row('b')] });
    table.merge({ all: true, rows: [row('b', 2)] });
    expect(table.list).toEqual([row('b', 2)]);
    table.merge({ all: true, rows: [] });
    expect(table.list).toEqual([]);
  });
  it('keeps its list while nothing changes', () => {
    const table = rows();
    table.merge({ all: true, rows: [row('a')] });
    const before = table.list;
    table.merge({ all: false, rows: [] });
    expect(table.list).toBe(before);
  });
});
