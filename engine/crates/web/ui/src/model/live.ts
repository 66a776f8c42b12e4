// The stream from the server: one connection, made again for as long as the page is open.

import type { LiveEvent } from './types';

export type Link = 'connecting' | 'live' | 'lost';

/** The server pings every 5 s; a stream that is silent for this long is dead. */
const SILENCE_MS_MAX = 15_000;

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 5_000;

/** Waiting time before the next try, doubled with each failure up to a limit. */
export function retryMs(failures: number): number {
  return Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(failures, 10));
}

/** Opens the stream and keeps it open. */
export function follow(
  path: string,
  onEvent: (event: LiveEvent) => void,
  onLink: (link: Link) => void,
): void {
  let failures = 0;
  let watchdog: number | undefined;

  const open = (): void => {
    const source = new EventSource(path);
    const lose = (): void => {
      window.clearTimeout(watchdog);
      source.close();
      onLink('lost');
      window.setTimeout(open, retryMs(failures));
      failures += 1;
    };
    const alive = (): void => {
      window.clearTimeout(watchdog);
      watchdog = window.setTimeout(lose, SILENCE_MS_MAX);
    };
    source.addEventListener('view', (message: MessageEvent<string>) => {
      alive();
      failures = 0;
      onEvent(JSON.parse(message.data) as LiveEvent);
      onLink('live');
    });
    source.addEventListener('ping', alive);
    // The browser's own retry gives up on an error status and waits without telling: ours instead.
    source.addEventListener('error', lose);
    alive();
  };

  onLink('connecting');
  open();
}
