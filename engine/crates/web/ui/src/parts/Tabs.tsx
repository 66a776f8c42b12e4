import { count } from '../model/format';
import { TABS, type Tab, tab, view } from '../model/store';

const NAMES: Record<Tab, string> = {
  statistics: 'Statistics',
  charts: 'Charts',
  failures: 'Failures',
  exceptions: 'Exceptions',
  ratio: 'Current Ratio',
  metrics: 'Metrics',
  workers: 'Workers',
  download: 'Download Data',
};

export function Tabs() {
  const stats = view.value?.stats;
  const badges: Partial<Record<Tab, number>> = {
    failures: stats?.errors.length ?? 0,
    exceptions: stats?.exceptions.length ?? 0,
    workers: view.value?.workers.filter((worker) => worker.problem !== null).length ?? 0,
  };
  // Few scenarios have metrics of their own; the tab is there once one has.
  const shown = TABS.filter((name) => name !== 'metrics' || (stats?.metrics.length ?? 0) > 0);
  return (
    <div class="tabs" role="tablist" aria-label="Results" onKeyDown={(event) => move(event, shown)}>
      {shown.map((name) => (
        <button
          type="button"
          role="tab"
          key={name}
          id={`tab-${name}`}
          aria-selected={tab.value === name}
          aria-controls="panel"
          tabIndex={tab.value === name ? 0 : -1}
          onClick={() => open(name)}
        >
          {NAMES[name]}
          {(badges[name] ?? 0) > 0 && <span class="badge">{count(badges[name] ?? 0)}</span>}
        </button>
      ))}
    </div>
  );
}

/** Arrow keys, Home and End, as in any list of tabs. */
function move(event: KeyboardEvent, shown: Tab[]): void {
  const at = shown.indexOf(tab.value);
  const to = {
    ArrowRight: (at + 1) % shown.length,
    ArrowLeft: (at + shown.length - 1) % shown.length,
    Home: 0,
    End: shown.length - 1,
  }[event.key];
  const name = to === undefined ? undefined : shown[to];
  if (name === undefined) return;
  event.preventDefault();
  open(name);
  document.getElementById(`tab-${name}`)?.focus();
}

function open(name: Tab): void {
  tab.value = name;
  // On a narrow screen the tabs scroll.
  document.getElementById(`tab-${name}`)?.scrollIntoView({ block: 'nearest', inline: 'center' });
}
