import { describe, expect, it } from 'vitest';
import { naturally, nextOrder, sorted } from '../src/model/sort';

const rows = [
  { name: 'b', hits: 2 },
  { name: 'a', hits: 10 },
  { name: 'c', hits: 2 },
];
const keys = {
  name: (row: (typeof rows)[0]) => row.name,
  hits: (row: (typeof rows)[0]) => row.hits,
};
const names = (order: Parameters<typeof sorted>[1]) =>
  sorted(rows, order, keys)
    .map((row) => row.name)
    .join('');

describe('sorted', () => {
  it('sorts numbers as numbers and keeps equal rows in place', () => {
    expect(names({ column: 'hits', descending: true })).toBe('abc');
    expect(names({ column: 'hits', descending: false })).toBe('bca');
    expect(names({ column: 'name', descending: true })).toBe('cba');
  });
  it('leaves the rows alone without an order', () => {
    expect(names(null)).toBe('bac');
    expect(names({ column: 'unknown', descending: true })).toBe('bac');
    expect(rows.map((row) => row.name).join('')).toBe('bac');
  });
});

describe('naturally', () => {
  it('reads numbers as people do', () => {
    const names = [
      '/page/100',
      '/page/2',
      '/page/10',
      '/Page/3',
      '/page/1',
      '/b',
      '/a?x=10',
      '/a?x=9',
    ];
    expect(names.toSorted(naturally)).toEqual([
      '/a?x=9',
      '/a?x=10',
      '/b',
      '/page/1',
      '/page/2',
      '/Page/3',
      '/page/10',
      '/page/100',
    ]);
  });
  it('calls only the same text equal', () => {
    expect(naturally('/a/1', '/a/01')).not.toBe(0);
    expect(naturally('/a', '/a')).toBe(0);
  });
});

describe('nextOrder', () => {
  it('goes round: first way, other way, none', () => {
    const first = nextOrder(null, 'hits', true);
    expect(first).toEqual({ column: 'hits', descending: true });
    const second = nextOrder(first, 'hits', true);
    expect(second).toEqual({ column: 'hits', descending: false });
    expect(nextOrder(second, 'hits', true)).toBeNull();
    expect(nextOrder(second, 'name', false)).toEqual({ column: 'name', descending: false });
  });
});
