import { signal, useComputed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { tasks } from '../model/command';
import { count, percent } from '../model/format';
import { type RatioRow, ratioRows, type Tasks } from '../model/ratios';
import type { Order } from '../model/sort';
import { view } from '../model/store';
import { Meter } from './Meter';
import { Name } from './Name';
import { type Column, Table } from './Table';

const order = signal<Order | null>(null);

const COLUMNS: readonly Column<RatioRow>[] = [
  {
    id: 'name',
    head: 'User class › task',
    kind: 'name',
    key: (row) => row.name,
    cell: (row) => <Name text={row.name} />,
  },
  {
    id: 'users',
    width: 90,
    head: 'Users',
    number: true,
    key: (row) => row.users ?? -1,
    cell: (row) => (row.users === null ? '' : count(row.users)),
  },
  {
    id: 'own',
    width: 100,
    head: 'Of its set',
    title: 'Share in the class or set that it is in; of a class in all users',
    number: true,
    key: (row) => row.own,
    cell: (row) => percent(row.own),
  },
  {
    id: 'total',
    width: 90,
    head: 'Of all',
    title: 'Share in what all users do',
    number: true,
    key: (row) => row.total,
    cell: (row) => percent(row.total),
  },
  {
    id: 'bar',
    head: '',
    kind: 'bar',
    room: 100,
    key: (row) => row.total,
    cell: (row) => <Meter share={row.total} />,
  },
];

/** Which classes the users alive are of, and how often their tasks run by the scenario's plan. */
export function Ratio() {
  const plan = useSignal<Tasks | null>(null);
  // The plan is that of the scenario; only what is left out of a test changes.
  const start = useComputed(() => view.value?.test_start_ms ?? null).value;
  useEffect(() => {
    void tasks().then((told) => (plan.value = told));
  }, [start]);
  return (
    <Table
      label="Current ratio"
      columns={COLUMNS}
      rows={ratioRows(view.value?.classes ?? [], plan.value)}
      rowKey={(row) => row.name}
      same={(a, b) => a.users === b.users && a.own === b.own && a.total === b.total}
      order={order}
      empty="The scenario has no user class."
    />
  );
}
