import { signal } from '@preact/signals';
import { count } from '../model/format';
import type { Order } from '../model/sort';
import { view } from '../model/store';
import type { Exception } from '../model/types';
import { type Column, Table } from './Table';

const order = signal<Order | null>(null);

const COLUMNS: readonly Column<Exception>[] = [
  {
    id: 'count',
    width: 132,
    head: '# Occurrences',
    number: true,
    key: (row) => row.count,
    cell: (row) => count(row.count),
  },
  {
    id: 'message',
    head: 'Exception',
    room: 300,
    kind: 'text lead',
    key: (row) => row.message,
    cell: (row) =>
      row.trace === '' ? (
        row.message
      ) : (
        <details>
          <summary>{row.message}</summary>
          <pre>{row.trace}</pre>
        </details>
      ),
  },
  {
    id: 'nodes',
    width: 320,
    head: 'Workers',
    kind: 'text',
    key: (row) => row.nodes.length,
    cell: (row) => row.nodes.join(', '),
  },
];

export function Exceptions() {
  return (
    <Table
      label="Exceptions"
      columns={COLUMNS}
      rows={view.value?.stats.exceptions ?? []}
      rowKey={(row) => `${row.message}\n${row.trace}`}
      same={(a, b) => a.count === b.count && a.nodes.length === b.nodes.length}
      order={order}
      stacked
      empty="No user has thrown an exception."
    />
  );
}
