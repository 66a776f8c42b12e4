import { count, ms } from '../model/format';
import { view } from '../model/store';
import type { Connections } from '../model/types';

/** How far the figures can be trusted. */
export function Footer() {
  const stats = view.value?.stats;
  if (!stats) return null;
  const { lateness_ms: late, connections, interrupted, unsent, names_overflowed: other } = stats;
  return (
    <footer class="footer">
      <span
        class={stats.late ? 'bad' : undefined}
        title="From when a request was due until the generator started it"
      >
        Lateness of the generator:{' '}
        {late ? (
          <>
            50% <b>{ms(late[0])}</b> · 99% <b>{ms(late[1])}</b> · max <b>{ms(late[2])}</b> ms
          </>
        ) : (
          'not measured yet'
        )}
      </span>
      {connections.opened + connections.failed > 0 && <Taken connections={connections} />}
      {connections.resent > 0 && (
        <span class="bad" title="Each on another connection, as its kept one had just ended">
          <b>{count(connections.resent)}</b> requests sent again
        </span>
      )}
      {interrupted > 0 && (
        <span title="By the end of the stop timeout, or with their users; in no other figure">
          <b>{count(interrupted)}</b> requests cut off on their way
        </span>
      )}
      {unsent > 0 && (
        <span title="By the end of the stop timeout, or with their users; in no other figure">
          <b>{count(unsent)}</b> requests given up before a connection had them
        </span>
      )}
      {other > 0 && (
        <span class="bad" title="There were more names than the limit">
          <b>{count(other)}</b> samples under (other)
        </span>
      )}
    </footer>
  );
}

/** What requests took of connections. */
function Taken({ connections: { opened, reused, failed } }: { connections: Connections }) {
  return (
    <span
      data-testid="connections"
      title="Of all requests that have ended, those included that were cut off"
    >
      Connections: <b>{count(opened)}</b> opened · <b>{count(reused)}</b> times reused ·{' '}
      <span class={failed > 0 ? 'bad' : undefined}>
        <b>{count(failed)}</b> failed
      </span>
    </span>
  );
}
