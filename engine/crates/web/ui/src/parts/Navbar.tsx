import type { ComponentChildren } from 'preact';
import { type Answer, logout, reset, stop } from '../model/command';
import { clock, count, failRatio, percent, rate, runTime } from '../model/format';
import {
  active,
  dialog,
  fresh,
  link,
  login,
  resetting,
  state,
  type Theme,
  theme,
  trouble,
  view,
} from '../model/store';
import type { View } from '../model/types';
import { elapsedSeconds, isLate, workersLost, workersThere } from '../model/verdict';
import { Icon, Logo } from './Icon';

export function Navbar() {
  const now = view.value;
  if (!now) return null;
  return (
    <header class="navbar">
      <div class="brand">
        <Logo />
        <div class="target">
          <strong class="clip" title={now.scenario}>
            {now.scenario || 'swarm'}
          </strong>
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
  const lost = workersLost(now.workers);
  const elapsed = elapsedSeconds(now);
  const late = active.value && isLate(now);
  const share = failRatio(total.num_failures, total.num_requests);
  return (
    <dl class="tiles">
      <Tile name="State">
        <span
          class={`state state-${link.value !== 'live' ? 'unknown' : late ? 'late' : now.state}`}
          data-testid="state"
        >
          {now.state}
        </span>
        {late && <span class="aside bad"> late</span>}
      </Tile>
      <Tile name={now.run_time_s ? `Time of ${runTime(now.run_time_s)}` : 'Time'}>
        <span data-testid="time">{elapsed === null ? '–' : clock(elapsed)}</span>
      </Tile>
      <Tile name="Users">
        <span data-testid="users">{count(now.user_count)}</span>
        {active.value && now.user_count !== now.target_users && (
          <span class="aside"> / {count(now.target_users)}</span>
        )}
      </Tile>
      <Tile name="Workers">
        {count(workersThere(now.workers).length)}
        {lost > 0 && <span class="aside bad"> −{count(lost)}</span>}
      </Tile>
      <Tile
        name="On their way"
        title="Requests given to a connection or waiting for one, and not answered"
      >
        <span data-testid="in-flight">{count(now.in_flight)}</span>
      </Tile>
      <Tile name={active.value ? 'Current RPS' : 'Mean RPS'}>
        {rate(active.value ? total.current_rps : total.rps)}
      </Tile>
      <Tile name="Failures">
        <span class={share > 0 ? 'bad' : ''}>{percent(share)}</span>
      </Tile>
    </dl>
  );
}

function Tile(props: { name: string; title?: string; children: ComponentChildren }) {
  const { name, title, children } = props;
  return (
    <div class="tile" title={title}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Commands() {
  const run = (command: () => Promise<Answer>) => async (): Promise<void> => {
    const answer = await command();
    trouble.value = answer.success ? null : answer.message;
  };
  /** A result that nobody can bring back is not forgotten unasked. */
  const forget = (): void => {
    const isResult = !active.value && (view.value?.stats.total.num_requests ?? 0) > 0;
    if (isResult) resetting.value = true;
    else void run(reset)();
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
      <button type="button" title="Forget all statistics so far" onClick={forget}>
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
