import { signal } from '@preact/signals';
import { failRatio, figure, percent } from '../model/format';
import type { Order } from '../model/sort';
import { view } from '../model/store';
import type { Metric } from '../model/types';
import { type Column, Table } from './Table';

/** Where 50, 95 and 99 % stand in the percentiles that the server sends. */
const [P50, P95, P99] = [0, 5, 7];

const order = signal<Order | null>(null);

const COLUMNS: readonly Column<Metric>[] = [
  { id: 'name', head: 'Name', kind: 'name', key: (row) => row.name, cell: (row) => row.name },
  {
    id: 'kind',
    width: 84,
    head: 'Kind',
    kind: 'type',
    key: (row) => row.kind,
    cell: (row) => row.kind,
  },
  { id: 'value', head: 'Figures', kind: 'text figures', key: main, cell: figures },
];

function main(row: Metric): number {
  switch (row.kind) {
    case 'count':
      return row.sum;
    case 'gauge':
      return row.last;
    case 'trend':
      return row.percentiles[P50] ?? 0;
    case 'check':
      return row.passes;
  }
}

function pairs(row: Metric): [string, string][] {
  switch (row.kind) {
    case 'count':
      return [
        ['sum', figure(row.sum)],
        ['updates', figure(row.updates)],
      ];
    case 'gauge':
      return [
        ['last', figure(row.last)],
        ['min', figure(row.min)],
        ['max', figure(row.max)],
      ];
    case 'trend': {
      const at = (index: number): string => figure(row.percentiles[index] ?? NaN);
      return [
        ['values', figure(row.values)],
        ['min', figure(row.min)],
        ['50%', at(P50)],
        ['95%', at(P95)],
        ['99%', at(P99)],
        ['max', figure(row.max)],
        ['mean', figure(row.mean)],
      ];
    }
    case 'check':
      return [
        ['passed', figure(row.passes)],
        ['failed', figure(row.fails)],
        ['share passed', percent(failRatio(row.passes, row.passes + row.fails))],
      ];
  }
}

function figures(row: Metric) {
  return pairs(row).map(([name, value]) => (
    <span class="pairing" key={name}>
      <span class="muted">{name}</span> {value}
    </span>
  ));
}

/** What the scenario counts itself. */
export function Metrics() {
  return (
    <Table
      label="Metrics"
      columns={COLUMNS}
      rows={view.value?.stats.metrics ?? []}
      rowKey={(row) => `${row.kind} ${row.name}`}
      same={(a, b) => a === b}
      order={order}
      empty="The scenario has recorded no metric."
    />
  );
}
