import { describe, expect, it } from 'vitest';
import { nextOrder, sorted } from '../src/model/sort';

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
