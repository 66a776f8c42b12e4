import { computed, signal } from '@preact/signals';
import { count, ms, rate } from '../model/format';
import type { Order } from '../model/sort';
import { leftOff, view } from '../model/store';
import type { Entry, Times } from '../model/types';
import { type Column, Table } from './Table';

const order = signal<Order | null>(null);
const filter = signal('');

/** A column of response times; without a sample there is nothing to show. */
function time(id: string, head: string, value: (times: Times) => number): Column<Entry> {
  return {
    id,
    head,
    unit: 'ms',
    width: 78,
    number: true,
    key: (row) => value(row.response_time_ms),
    cell: (row) => (row.num_requests === 0 ? '–' : ms(value(row.response_time_ms))),
  };
}

const averageBytes = (row: Entry): number =>
  row.num_requests === 0 ? 0 : row.bytes / row.num_requests;

const COLUMNS: readonly Column<Entry>[] = [
  {
    id: 'method',
    width: 84,
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
    cell: (row) => <span title={row.name}>{row.name}</span>,
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
    width: 82,
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
    width: 118,
    head: 'Average size',
    unit: 'bytes',
    number: true,
    key: averageBytes,
    cell: (row) => count(averageBytes(row)),
  },
  {
    id: 'rps',
    width: 84,
    head: 'Current RPS',
    title: 'Requests a second, mean of the last ten complete seconds',
    number: true,
    key: (row) => row.current_rps,
    cell: (row) => rate(row.current_rps),
  },
  {
    id: 'fps',
    width: 108,
    head: 'Current Failures/s',
    title: 'Failures a second, mean of the last ten complete seconds',
    number: true,
    key: (row) => row.current_fail_per_sec,
    cell: (row) => (
      <span class={row.current_fail_per_sec > 0 ? 'bad' : 'zero'}>
        {rate(row.current_fail_per_sec)}
      </span>
    ),
  },
];

const same = (a: Entry, b: Entry): boolean =>
  a.num_requests === b.num_requests &&
  a.num_failures === b.num_failures &&
  a.current_rps === b.current_rps &&
  a.current_fail_per_sec === b.current_fail_per_sec &&
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
  const stats = view.value?.stats;
  if (!stats) return null;
  const all = stats.entries.length;
  const off = leftOff.value.entries;
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
          {filter.value ? `${count(shown.value.length)} of ${count(all)}` : count(all)} names
          {off > 0 && ` shown; ${count(off)} more in the CSV file`}
        </span>
      </div>
      <Table
        label="Statistics"
        columns={COLUMNS}
        rows={shown.value}
        rowKey={(row) => `${row.method} ${row.name}`}
        same={same}
        order={order}
        last={stats.total}
        empty={all === 0 ? 'No request yet.' : 'No name matches.'}
      />
    </>
  );
}
