import { signal } from '@preact/signals';
import { count, percent } from '../model/format';
import type { Order } from '../model/sort';
import { view } from '../model/store';
import { Meter } from './Meter';
import { type Column, Table } from './Table';

interface Share {
  name: string;
  users: number;
  share: number;
}

const order = signal<Order | null>(null);

const COLUMNS: readonly Column<Share>[] = [
  { id: 'name', head: 'User class', kind: 'name', key: (row) => row.name, cell: (row) => row.name },
  {
    id: 'users',
    width: 110,
    head: 'Users',
    number: true,
    key: (row) => row.users,
    cell: (row) => count(row.users),
  },
  {
    id: 'share',
    width: 90,
    head: 'Share',
    number: true,
    key: (row) => row.share,
    cell: (row) => percent(row.share),
  },
  {
    id: 'bar',
    head: '',
    kind: 'bar',
    key: (row) => row.share,
    cell: (row) => <Meter share={row.share} />,
  },
];

/** Which classes the users alive are of. */
export function Ratio() {
  const classes = view.value?.classes ?? [];
  const all = classes.reduce((sum, one) => sum + one.user_count, 0);
  const rows = classes.map((one) => ({
    name: one.name,
    users: one.user_count,
    share: all === 0 ? 0 : one.user_count / all,
  }));
  return (
    <Table
      label="Current ratio"
      columns={COLUMNS}
      rows={rows}
      rowKey={(row) => row.name}
      same={(a, b) => a.users === b.users && a.share === b.share}
      order={order}
      empty="The scenario has no user class."
    />
  );
}
