import { describe, expect, it } from 'vitest';
import { readAnswer } from '../src/model/command';
import { retryMs } from '../src/model/live';

describe('readAnswer', () => {
  it('takes the message and believes the status', () => {
    const text = '{"success":true,"message":"Swarming started","host":"http://a"}';
    expect(readAnswer(true, 200, text)).toEqual({ success: true, message: 'Swarming started' });
    expect(readAnswer(false, 409, '{"success":false,"message":"no worker"}')).toEqual({
      success: false,
      message: 'no worker',
    });
  });
  it('takes what is no JSON', () => {
    expect(readAnswer(true, 200, 'ok')).toEqual({ success: true, message: 'ok' });
    expect(readAnswer(false, 502, '')).toEqual({
      success: false,
      message: 'The master answered with status 502.',
    });
  });
});

describe('retryMs', () => {
  it('waits longer after each failure, up to a limit', () => {
    expect([0, 1, 2, 3, 4, 1000].map(retryMs)).toEqual([500, 1000, 2000, 4000, 5000, 5000]);
  });
});
