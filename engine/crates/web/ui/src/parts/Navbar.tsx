import type { ComponentChildren } from 'preact';
import { type Answer, logout, reset, stop } from '../model/command';
import { clock, count, failRatio, percent, rate, runTime } from '../model/format';
import {
  active,
  dialog,
  fresh,
  link,
  login,
  series,
  state,
  type Theme,
  theme,
  trouble,
  view,
} from '../model/store';
import type { View } from '../model/types';
import { Icon, Logo } from './Icon';

export function Navbar() {
  const now = view.value;
  if (!now) return null;
  return (
    <header class="navbar">
      <div class="brand">
        <Logo />
        <div class="target">
          <strong class="clip">{now.scenario || 'swarm'}</strong>
          <span class="clip muted" title={now.host}>
            {now.host || 'no host yet'}
          </span>
        </div>
      </div>
      <Tiles now={now} />
      <div class="actions">
        {!fresh.value && <Commands />}
        {login.value && <LogoutButton />}
        <ThemeButton />
      </div>
    </header>
  );
}

function Tiles({ now }: { now: View }) {
  const total = now.stats.total;
  const there = now.workers.filter((worker) => !['missing', 'lost'].includes(worker.state));
  const gone = now.workers.length - there.length;
  const share = failRatio(total.num_failures, total.num_requests);
  return (
    <dl class="tiles">
      <Tile name="State">
        <span
          class={`state state-${link.value === 'live' ? now.state : 'unknown'}`}
          data-testid="state"
        >
          {now.state}
        </span>
      </Tile>
      <Tile name={now.run_time_s ? `Time of ${runTime(now.run_time_s)}` : 'Time'}>
        {now.test_start_ms === null ? '–' : <Elapsed now={now} />}
      </Tile>
      <Tile name="Users">
        <span data-testid="users">{count(now.user_count)}</span>
        {active.value && now.user_count !== now.target_users && (
          <span class="aside"> / {count(now.target_users)}</span>
        )}
      </Tile>
      <Tile name="Workers">
        {count(there.length)}
        {gone > 0 && <span class="aside bad"> −{count(gone)}</span>}
      </Tile>
      <Tile name="RPS">{rate(active.value ? total.current_rps : total.rps)}</Tile>
      <Tile name="Failures">
        <span class={share > 0 ? 'bad' : ''}>{percent(share)}</span>
      </Tile>
    </dl>
  );
}

function Tile({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Time since the start; once the test is over, until the end of the last second counted. */
function Elapsed({ now }: { now: View }) {
  const from = now.test_start_ms ?? 0;
  const last = series.atMs.at(-1);
  const to = active.value || last === undefined ? now.now_ms : last + 1000;
  return <>{clock((to - from) / 1000)}</>;
}

function Commands() {
  const run = (command: () => Promise<Answer>) => async (): Promise<void> => {
    const answer = await command();
    trouble.value = answer.success ? null : answer.message;
  };
  return (
    <>
      {active.value ? (
        <>
          <button
            type="button"
            disabled={state.value === 'stopping'}
            onClick={() => (dialog.value = 'edit')}
          >
            Edit
          </button>
          <button
            type="button"
            class="danger"
            disabled={state.value === 'stopping'}
            onClick={run(stop)}
          >
            Stop
          </button>
        </>
      ) : (
        <button type="button" class="primary" onClick={() => (dialog.value = 'new')}>
          New test
        </button>
      )}
      <button type="button" title="Forget all statistics so far" onClick={run(reset)}>
        Reset
      </button>
    </>
  );
}

function LogoutButton() {
  const leave = async (): Promise<void> => {
    const answer = await logout();
    if (answer.success) location.assign('login');
    else trouble.value = answer.message;
  };
  return (
    <button
      type="button"
      class="icon-button"
      title="Log out"
      aria-label="Log out"
      onClick={() => void leave()}
    >
      <Icon name="leave" />
    </button>
  );
}

const NEXT_THEME: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };

function ThemeButton() {
  const label = `Theme: ${theme.value}`;
  return (
    <button
      type="button"
      class="icon-button"
      title={label}
      aria-label={label}
      onClick={() => (theme.value = NEXT_THEME[theme.value])}
    >
      <Icon name={theme.value} />
    </button>
  );
}
