// What the page asks the server to do.

import type { Tasks } from './ratios';

export interface Answer {
  success: boolean;
  message: string;
}

export interface SwarmForm {
  user_count: string;
  spawn_rate: string;
  host?: string;
  run_time?: string;
  /** Empty: all classes, or those of the running test. */
  user_classes?: readonly string[];
}

/** Starts a test or edits the running one. */
export function swarm({ user_classes: classes = [], ...fields }: SwarmForm): Promise<Answer> {
  const form = new URLSearchParams({ ...fields });
  for (const name of classes) form.append('user_classes', name);
  return post('swarm', form);
}

export function stop(): Promise<Answer> {
  return post('stop');
}

export function reset(): Promise<Answer> {
  return post('stats/reset');
}

export function logout(): Promise<Answer> {
  return post('logout');
}

/** How often the tasks of each class run. */
export async function tasks(): Promise<Tasks | null> {
  try {
    const response = await fetch('tasks');
    return response.ok ? ((await response.json()) as Tasks) : null;
  } catch {
    return null;
  }
}

async function post(path: string, body?: URLSearchParams): Promise<Answer> {
  try {
    const response = await fetch(path, { method: 'POST', body: body ?? null });
    return readAnswer(response.ok, response.status, await response.text());
  } catch {
    return { success: false, message: 'The master cannot be reached. Is it still running?' };
  }
}

/** Takes JSON as well as the bare `ok` of a reset. */
export function readAnswer(ok: boolean, status: number, text: string): Answer {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === 'object' && answer !== null && 'message' in answer) {
      return { success: ok, message: String(answer.message) };
    }
  } catch {
    // Not JSON: the text itself is the answer.
  }
  return { success: ok, message: text.trim() || `The master answered with status ${status}.` };
}
