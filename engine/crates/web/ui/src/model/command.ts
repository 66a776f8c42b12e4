// What the page asks the server to do.

export interface Answer {
  success: boolean;
  message: string;
}

export interface SwarmForm {
  user_count: string;
  spawn_rate: string;
  host?: string;
  run_time?: string;
}

/** Starts a test or edits the running one. */
export function swarm(form: SwarmForm): Promise<Answer> {
  return post('swarm', new URLSearchParams({ ...form }));
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
