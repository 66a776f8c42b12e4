import { computed, signal } from '@preact/signals';
import { count, ms, rate } from '../model/format';
import type { Order } from '../model/sort';
import { active, view } from '../model/store';
import type { Entry, Times } from '../model/types';
import { whyNoRequest } from '../model/verdict';
import { Name } from './Name';
import { type Column, Table } from './Table';

const order = signal<Order | null>(null);
const filter = signal('');

/** A column of response times; without a sample there is nothing to show. */
function time(id: string, head: string, value: (times: Times) => number): Column<Entry> {
  return {
    id,
    head,
    unit: 'ms',
    width: 70,
    number: true,
    key: (row) => value(row.response_time_ms),
    cell: (row) => (row.num_requests === 0 ? '–' : ms(value(row.response_time_ms))),
  };
}

const averageBytes = (row: Entry): number =>
  row.num_requests === 0 ? 0 : row.bytes / row.num_requests;

/** What a second brings: now while a test runs, and then on average. Tile and columns agree. */
const perSecond = (running: boolean): readonly Column<Entry>[] => {
  const of = running ? 'mean of the last ten complete seconds' : 'mean of the whole test';
  const rps = (row: Entry): number => (running ? row.current_rps : row.rps);
  const fails = (row: Entry): number => (running ? row.current_fail_per_sec : row.fail_per_sec);
  return [
    {
      id: 'rps',
      width: 78,
      head: running ? 'Current RPS' : 'Mean RPS',
      title: `Requests a second, ${of}`,
      number: true,
      key: rps,
      cell: (row) => rate(rps(row)),
    },
    {
      id: 'fps',
      width: 104,
      head: running ? 'Current Failures/s' : 'Mean Failures/s',
      title: `Failures a second, ${of}`,
      number: true,
      key: fails,
      cell: (row) => <span class={fails(row) > 0 ? 'bad' : 'zero'}>{rate(fails(row))}</span>,
    },
  ];
};

const FIGURES: readonly Column<Entry>[] = [
  {
    id: 'method',
    width: 82,
    head: 'Type',
    kind: 'type',
    key: (row) => row.method,
    cell: (row) => row.method,
  },
  {
    id: 'name',
    head: 'Name',
    kind: 'name',
    key: (row) => row.name,
    cell: (row) => <Name text={row.name} />,
  },
  {
    id: 'requests',
    width: 104,
    head: '# Requests',
    number: true,
    key: (row) => row.num_requests,
    cell: (row) => count(row.num_requests),
  },
  {
    id: 'failures',
    width: 74,
    head: '# Fails',
    number: true,
    key: (row) => row.num_failures,
    cell: (row) => (
      <span class={row.num_failures > 0 ? 'bad' : 'zero'}>{count(row.num_failures)}</span>
    ),
  },
  time('median', 'Median', (times) => times.median),
  time('p95', '95%ile', (times) => times.p95),
  time('p99', '99%ile', (times) => times.p99),
  time('mean', 'Average', (times) => times.mean),
  time('min', 'Min', (times) => times.min),
  time('max', 'Max', (times) => times.max),
  {
    id: 'bytes',
    width: 112,
    head: 'Average size',
    unit: 'bytes',
    number: true,
    key: averageBytes,
    cell: (row) => count(averageBytes(row)),
  },
];

/** There once a request was sent again, which hardly happens. */
const RESENT: Column<Entry> = {
  id: 'resent',
  width: 90,
  head: '# Resent',
  title: 'Times that a request was sent again, as its kept connection had just ended',
  number: true,
  key: (row) => row.num_resent,
  cell: (row) => <span class={row.num_resent === 0 ? 'zero' : ''}>{count(row.num_resent)}</span>,
};

/** Made once each: a row draws itself again when it gets other columns. */
const WHILE_RUNNING = [...FIGURES, ...perSecond(true)];
const AT_THE_END = [...FIGURES, ...perSecond(false)];
const COLUMNS = {
  running: { without: WHILE_RUNNING, resent: withResent(WHILE_RUNNING) },
  over: { without: AT_THE_END, resent: withResent(AT_THE_END) },
};

function withResent(columns: readonly Column<Entry>[]): readonly Column<Entry>[] {
  return columns.flatMap((column) => (column.id === 'failures' ? [column, RESENT] : [column]));
}

const same = (a: Entry, b: Entry): boolean =>
  a.num_requests === b.num_requests &&
  a.num_failures === b.num_failures &&
  a.num_resent === b.num_resent &&
  a.current_rps === b.current_rps &&
  a.current_fail_per_sec === b.current_fail_per_sec &&
  a.rps === b.rps &&
  a.bytes === b.bytes &&
  a.response_time_ms.max === b.response_time_ms.max &&
  a.response_time_ms.mean === b.response_time_ms.mean;

const shown = computed(() => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = view.value?.stats.entries ?? [];
  return rows.filter((row) => {
    const text = `${row.method} ${row.name}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
});

export function Statistics() {
  const now = view.value;
  if (!now) return null;
  const { stats } = now;
  const all = stats.entries.length;
  return (
    <>
      <div class="tools">
        <input
          type="search"
          placeholder="Filter names"
          aria-label="Filter names"
          value={filter.value}
          onInput={(event) => (filter.value = event.currentTarget.value)}
        />
        <span class="muted">
          {filter.value ? `${count(shown.value.length)} of ${count(all)}` : count(all)}{' '}
          {all === 1 ? 'name' : 'names'}
        </span>
      </div>
      <Table
        label="Statistics"
        columns={
          COLUMNS[active.value ? 'running' : 'over'][
            stats.total.num_resent > 0 ? 'resent' : 'without'
          ]
        }
        rows={shown.value}
        rowKey={(row) => `${row.method} ${row.name}`}
        same={same}
        order={order}
        last={stats.total}
        empty={all === 0 ? whyNoRequest(now, active.value) : 'No name matches.'}
      />
    </>
  );
}
