import { useSignal } from '@preact/signals';
import { timeOfDay } from '../model/format';
import { dismiss, dismissed, inSight, noticeKey, notWarned } from '../model/notices';
import { link, view } from '../model/store';
import type { Notice } from '../model/types';
import { Icon } from './Icon';

export function Banners() {
  const all = useSignal(false);
  const now = view.value;
  const origin = now?.clock_origin_unix_ms ?? 0;
  const warnings = now?.warnings ?? [];
  const notices = notWarned(now?.notices ?? [], warnings);
  const few = inSight(notices, origin, dismissed.value);
  return (
    <div class="banners">
      {link.value === 'lost' && (
        <p class="banner lost" role="alert">
          The connection to the master is lost: what you see is old. Trying again…
        </p>
      )}
      <ul class="warnings" aria-label="Warnings" aria-live="polite">
        {warnings.map((text) => (
          <li class="banner warning" key={text}>
            <Warning text={text} />
          </li>
        ))}
      </ul>
      <ul class="notices" aria-label="Notices" aria-live="polite">
        {(all.value ? notices.toReversed() : few).map((notice) => (
          <Banner notice={notice} origin={origin} key={noticeKey(origin, notice)} />
        ))}
      </ul>
      {notices.length > few.length && (
        <button type="button" class="link" onClick={() => (all.value = !all.value)}>
          {all.value ? 'Show fewer notices' : showAll(notices.length)}
        </button>
      )}
    </div>
  );
}

const showAll = (many: number): string =>
  many === 1 ? 'Show the notice' : `Show all ${many} notices`;

/** The master's texts begin as they do in a log: with what is so, and then a colon and why. */
function Warning({ text }: { text: string }) {
  const [what = '', ...why] = text.split(/(?<=: )/);
  const end = /[.?!]$/.test(text) ? '' : '.';
  return (
    <span>
      <strong>{what.charAt(0).toUpperCase() + what.slice(1)}</strong>
      {why.join('') + end}
    </span>
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
