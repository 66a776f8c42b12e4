import { signal } from '@preact/signals';
import { count, timeOfDay } from '../model/format';
import type { Order } from '../model/sort';
import { view } from '../model/store';
import type { Failure } from '../model/types';
import { Name } from './Name';
import { type Column, Table } from './Table';

const order = signal<Order | null>({ column: 'occurrences', descending: true });

const at = (atMs: number) => timeOfDay((view.peek()?.clock_origin_unix_ms ?? 0) + atMs);

const COLUMNS: readonly Column<Failure>[] = [
  {
    id: 'occurrences',
    width: 116,
    head: '# Failures',
    number: true,
    key: (row) => row.occurrences,
    cell: (row) => count(row.occurrences),
  },
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
    cell: (row) => <Name text={row.name} />,
  },
  {
    id: 'error',
    head: 'Error',
    kind: 'text lead',
    room: 330,
    key: (row) => row.error,
    cell: (row) => row.error,
  },
  {
    id: 'first',
    width: 110,
    head: 'First seen',
    number: true,
    key: (row) => row.first_ms,
    cell: (row) => at(row.first_ms),
  },
  {
    id: 'last',
    width: 116,
    head: 'Last seen',
    number: true,
    key: (row) => row.last_ms,
    cell: (row) => at(row.last_ms),
  },
];

export function Failures() {
  return (
    <Table
      label="Failures"
      columns={COLUMNS}
      rows={view.value?.stats.errors ?? []}
      rowKey={(row) => `${row.method} ${row.name}\n${row.error}`}
      same={(a, b) => a.occurrences === b.occurrences && a.last_ms === b.last_ms}
      order={order}
      stacked
      empty="No request has failed."
    />
  );
}
