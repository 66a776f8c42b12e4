import { signal } from '@preact/signals';
import { bytes, count, ms } from '../model/format';
import type { Order } from '../model/sort';
import { view } from '../model/store';
import type { Worker } from '../model/types';
import { Meter } from './Meter';
import { type Column, Table } from './Table';

/** From here on a worker is likely to be late itself; the same line that Locust draws. */
const CPU_HOT = 90;

const order = signal<Order | null>(null);

const COLUMNS: readonly Column<Worker>[] = [
  {
    id: 'index',
    width: 64,
    head: '#',
    number: true,
    kind: 'index',
    key: (row) => row.index,
    cell: (row) => row.index,
  },
  {
    id: 'id',
    head: 'Worker',
    kind: 'name lead',
    key: (row) => row.id,
    cell: (row) => <span title={row.id}>{row.id}</span>,
  },
  {
    id: 'state',
    width: 130,
    head: 'State',
    key: (row) => row.state,
    cell: (row) => <span class={`state state-${light(row)}`}>{doing(row)}</span>,
  },
  {
    id: 'users',
    width: 90,
    head: 'Users',
    number: true,
    key: (row) => row.user_count,
    cell: (row) => count(row.user_count),
  },
  {
    id: 'in-flight',
    width: 116,
    head: 'On their way',
    title: 'Requests given to a connection or waiting for one, and not answered',
    number: true,
    key: (row) => row.in_flight,
    cell: (row) => count(row.in_flight),
  },
  {
    id: 'cpu',
    width: 160,
    head: 'CPU',
    title: 'Percent of one core',
    number: true,
    kind: 'cpu',
    key: (row) => row.cpu_usage,
    cell: (row) => (
      <>
        <Meter share={row.cpu_usage / 100} hot={row.cpu_usage >= CPU_HOT} />
        <b>{count(row.cpu_usage)}%</b>
      </>
    ),
  },
  {
    id: 'memory',
    width: 110,
    head: 'Memory',
    number: true,
    key: (row) => row.memory_usage,
    cell: (row) => bytes(row.memory_usage),
  },
  {
    id: 'late',
    width: 110,
    head: 'Late 99%',
    title: 'From when a task was due until it was started, in ms: the latest load thread',
    number: true,
    key: (row) => row.lateness_ms?.worst.p99 ?? -1,
    cell: (row) => <Late row={row} />,
  },
  {
    id: 'problem',
    head: 'Problem',
    room: 250,
    kind: 'text bad',
    key: (row) => row.problem ?? '',
    cell: (row) => row.problem ?? '',
  },
];

const same = (a: Worker, b: Worker): boolean =>
  a.state === b.state &&
  a.module_percent === b.module_percent &&
  a.user_count === b.user_count &&
  a.in_flight === b.in_flight &&
  a.cpu_usage === b.cpu_usage &&
  a.memory_usage === b.memory_usage &&
  a.lateness_ms?.worst.p99 === b.lateness_ms?.worst.p99 &&
  a.lateness_ms?.max === b.lateness_ms?.max &&
  a.lateness_ms?.late === b.lateness_ms?.late &&
  a.problem === b.problem;

/** A worker that falls behind gets no green light. */
function light({ state, lateness_ms: late }: Worker): string {
  return state === 'running' && late?.late ? 'late' : state;
}

/** Its state, and while the module is on its way how much of it has gone. */
function doing({ state, module_percent: percent }: Worker): string {
  return percent === null ? state : `fetching ${percent}%`;
}

function Late({ row: { lateness_ms: late } }: { row: Worker }) {
  if (!late) return <>–</>;
  const { worst, worst_shard: shard } = late;
  const title =
    `load thread ${shard}: 99% ${ms(worst.p99)} ms, max ${ms(worst.max)} ms; ` +
    `all threads: 99% ${ms(late.p99)} ms, max ${ms(late.max)} ms`;
  return (
    <span class={late.late ? 'bad' : undefined} title={title}>
      {ms(worst.p99)}
    </span>
  );
}

export function Workers() {
  const workers = view.value?.workers ?? [];
  return (
    <>
      <p class="tools muted">{summary(workers)}</p>
      <Table
        label="Workers"
        columns={COLUMNS}
        rows={workers}
        rowKey={(row) => `${row.index} ${row.id}`}
        same={same}
        order={order}
        stacked
        empty="No worker has joined yet."
      />
    </>
  );
}

/** How many workers are in which state. */
function summary(workers: readonly Worker[]): string {
  const states = new Map<string, number>();
  for (const { state } of workers) states.set(state, (states.get(state) ?? 0) + 1);
  return [...states].map(([state, many]) => `${count(many)} ${state}`).join(' · ');
}
