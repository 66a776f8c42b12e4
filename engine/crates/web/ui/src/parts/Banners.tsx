import { useSignal } from '@preact/signals';
import { timeOfDay } from '../model/format';
import { dismiss, dismissed, inSight, noticeKey } from '../model/notices';
import { link, view } from '../model/store';
import type { Notice } from '../model/types';
import { lateWarning } from '../model/verdict';
import { Icon } from './Icon';

export function Banners() {
  const all = useSignal(false);
  const now = view.value;
  const notices = now?.notices ?? [];
  const origin = now?.clock_origin_unix_ms ?? 0;
  const few = inSight(notices, origin, dismissed.value);
  const late = now && lateWarning(now);
  return (
    <div class="banners">
      {link.value === 'lost' && (
        <p class="banner lost" role="alert">
          The connection to the master is lost: what you see is old. Trying again…
        </p>
      )}
      {late && (
        <p class="banner late" role="status" data-testid="late">
          {late}
        </p>
      )}
      <ul class="notices" aria-label="Notices" aria-live="polite">
        {(all.value ? notices.toReversed() : few).map((notice) => (
          <Banner notice={notice} origin={origin} key={noticeKey(origin, notice)} />
        ))}
      </ul>
      {notices.length > few.length && (
        <button type="button" class="link" onClick={() => (all.value = !all.value)}>
          {all.value ? 'Show fewer notices' : `Show all ${notices.length} notices`}
        </button>
      )}
    </div>
  );
}

function Banner({ notice, origin }: { notice: Notice; origin: number }) {
  const key = noticeKey(origin, notice);
  return (
    <li class="banner notice">
      <time>{timeOfDay(origin + notice.at_ms)}</time>
      <span>{notice.text}</span>
      {!dismissed.value.has(key) && (
        <button
          type="button"
          class="icon-button"
          title="Put this notice away"
          aria-label={`Put away: ${notice.text}`}
          onClick={() => dismiss(key)}
        >
          <Icon name="close" />
        </button>
      )}
    </li>
  );
}
