import { useSignal } from '@preact/signals';
import { timeOfDay } from '../model/format';
import { link, view } from '../model/store';

/** So many of the newest notices are always in sight. */
const SHOWN = 2;

export function Banners() {
  const all = useSignal(false);
  const now = view.value;
  const notices = now ? now.notices.toReversed() : [];
  const shown = all.value ? notices : notices.slice(0, SHOWN);
  return (
    <div class="banners">
      {link.value === 'lost' && (
        <p class="banner lost" role="alert">
          The connection to the master is lost: what you see is old. Trying again…
        </p>
      )}
      <ul class="notices" aria-label="Notices" aria-live="polite">
        {shown.map((notice) => (
          <li class="banner notice" key={`${notice.at_ms} ${notice.text}`}>
            <time>{timeOfDay((now?.clock_origin_unix_ms ?? 0) + notice.at_ms)}</time>
            <span>{notice.text}</span>
          </li>
        ))}
      </ul>
      {notices.length > SHOWN && (
        <button type="button" class="link" onClick={() => (all.value = !all.value)}>
          {all.value ? 'Show only the newest' : `Show all ${notices.length} notices`}
        </button>
      )}
    </div>
  );
}
