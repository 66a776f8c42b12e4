// Which notices the reader has put away. Kept for as long as the browser's tab is open.

import { signal } from '@preact/signals';
import type { Notice } from './types';

/** So many of the newest notices are in sight unless the reader asks for all. */
export const SHOWN_MAX = 2;

/** The master keeps no more of a test. */
const DISMISSED_MAX = 1000;

const STORAGE_KEY = 'swarm-dismissed-notices';

/** Notices have no number; time and text make one. */
export function noticeKey(originUnixMs: number, notice: Notice): string {
  return `${originUnixMs + notice.at_ms} ${notice.text}`;
}

/** The notices that no warning repeats. */
export function notWarned(notices: readonly Notice[], warnings: readonly string[]): Notice[] {
  const warned = new Set(warnings.map(subject));
  return notices.filter((notice) => !warned.has(subject(notice.text)));
}

/** The notices in sight, newest first. */
export function inSight(
  notices: readonly Notice[],
  originUnixMs: number,
  put: ReadonlySet<string>,
): Notice[] {
  const open = notices.filter((notice) => !put.has(noticeKey(originUnixMs, notice)));
  return open.toReversed().slice(0, SHOWN_MAX);
}

/** What a sentence is about: its figures follow a colon, and may be older than those of another. */
function subject(text: string): string {
  return text.split(': ', 1)[0]!.replace(' was ', ' is ');
}

export const dismissed = signal<ReadonlySet<string>>(stored());

export function dismiss(key: string): void {
  const keys = [...dismissed.value, key].slice(-DISMISSED_MAX);
  dismissed.value = new Set(keys);
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(keys));
  } catch {
    // Storage may be forbidden or full; they are put away for as long as the page is there.
  }
}

function stored(): ReadonlySet<string> {
  try {
    const keys: unknown = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? '[]');
    return new Set(Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : []);
  } catch {
    return new Set();
  }
}
