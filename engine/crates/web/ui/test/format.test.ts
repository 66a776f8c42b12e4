import { describe, expect, it } from 'vitest';
import {
  bytes,
  clock,
  count,
  failRatio,
  figure,
  ms,
  percent,
  rate,
  runTime,
  timeOfDay,
} from '../src/model/format';

const T = '\u202f';

describe('count', () => {
  it('groups by three', () => {
    expect([0, 7, 999, 1000, 12345, 1234567].map(count)).toEqual([
      '0',
      '7',
      '999',
      `1${T}000`,
      `12${T}345`,
      `1${T}234${T}567`,
    ]);
    expect(count(-1234)).toBe(`−1${T}234`);
    expect(count(Number.NaN)).toBe('–');
  });
});

describe('ms', () => {
  it('keeps three figures and never rounds a time to nothing', () => {
    expect([0, 0.0214, 0.9996, 5.8349, 9.996, 48.25, 99.96, 164.4, 12345.6].map(ms)).toEqual([
      '0',
      '0.021',
      '1.00',
      '5.83',
      '10.0',
      '48.3',
      '100',
      '164',
      `12${T}346`,
    ]);
    expect([null, undefined, Number.NaN].map(ms)).toEqual(['–', '–', '–']);
  });
});

describe('rate', () => {
  it('has one decimal below a thousand', () => {
    expect([0, 0.04, 503.44, 999.94, 999.96, 70_123.4].map(rate)).toEqual([
      '0.0',
      '0.0',
      '503.4',
      '999.9',
      `1${T}000`,
      `70${T}123`,
    ]);
  });
});

describe('percent', () => {
  it('does not hide the last few', () => {
    expect([0, 0.00001, 0.0123, 0.5, 0.99999, 1].map(percent)).toEqual([
      '0%',
      '<0.1%',
      '1.2%',
      '50.0%',
      '>99.9%',
      '100%',
    ]);
  });
  it('is 0 of nothing', () => {
    expect(failRatio(0, 0)).toBe(0);
    expect(failRatio(1, 4)).toBe(0.25);
  });
});

describe('bytes', () => {
  it('uses binary units', () => {
    expect([0, 512, 1024, 1536, 60_000_000, 1024 ** 3 - 1].map(bytes)).toEqual([
      '–',
      '512 B',
      '1.0 KiB',
      '1.5 KiB',
      '57.2 MiB',
      '1.0 GiB',
    ]);
  });
});

describe('times', () => {
  it('reads like a clock', () => {
    expect([-1, 0, 7.9, 754, 3723].map(clock)).toEqual([
      '0:00',
      '0:00',
      '0:07',
      '12:34',
      '1:02:03',
    ]);
  });
  it('writes run times as the form takes them', () => {
    expect([1, 60, 90, 5400, 12610].map(runTime)).toEqual([
      '1s',
      '1m',
      '1m30s',
      '1h30m',
      '3h30m10s',
    ]);
  });
  it('shows the time of day', () => {
    expect(timeOfDay(new Date(2026, 2, 2, 9, 5, 7).getTime())).toBe('09:05:07');
  });
});

describe('figure', () => {
  it('has four figures', () => {
    expect([0, 250, 0.123456, 61.2, 1799, 12345.6].map(figure)).toEqual([
      '0',
      '250',
      '0.1235',
      '61.2',
      `1${T}799`,
      `12${T}346`,
    ]);
  });
});
