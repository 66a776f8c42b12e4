import { count, ms } from '../model/format';
import { view } from '../model/store';
import { LATE_MS } from '../model/verdict';

/** How far the figures can be trusted. */
export function Footer() {
  const stats = view.value?.stats;
  if (!stats) return null;
  const { lateness_ms: late, interrupted, names_overflowed: other } = stats;
  return (
    <footer class="footer">
      <span
        class={late && late[1] > LATE_MS ? 'bad' : undefined}
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
      {interrupted > 0 && (
        <span title="Cut off by the end of the stop timeout; in no other figure">
          <b>{count(interrupted)}</b> requests interrupted
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
