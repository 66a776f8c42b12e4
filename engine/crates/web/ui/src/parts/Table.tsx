// The one table that all tabs use: heads that sort, rows that draw themselves only when changed.

import type { Signal } from '@preact/signals';
import { Component, type ComponentChildren } from 'preact';
import { type Key, nextOrder, type Order, sorted } from '../model/sort';

export interface Column<T> {
  /** Key for sorting; unique in the table. */
  id: string;
  head: string;
  /** In what it is measured; a second line of the head. */
  unit?: string;
  /** Long form of the head, shown on hover. */
  title?: string;
  /** Right-aligned, and largest first when sorted. */
  number?: boolean;
  /** In pixels; columns without share what is left. */
  width?: number;
  /** In pixels: room to ask for when there is no `width`; a narrow screen scrolls sideways. */
  room?: number;
  /** Class of the cells. */
  kind?: string;
  key: (row: T) => Key;
  cell: (row: T) => ComponentChildren;
}

interface Props<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  /** Whether two versions of a row look the same. */
  same: (a: T, b: T) => boolean;
  order: Signal<Order | null>;
  /** The row that stays at the end, whatever the order. */
  last?: T;
  /** Shown instead of rows when there are none. */
  empty: string;
}

const ROOM_PX = 170;

export function Table<T>(props: Props<T>) {
  const { columns, rows, order, last } = props;
  const rooms = columns.map(({ width, room }) => width ?? room ?? ROOM_PX);
  const minWidth = rooms.reduce((sum, room) => sum + room, 0);
  const keys = Object.fromEntries(columns.map((column) => [column.id, column.key]));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={props.label}>
      <table style={{ minWidth: `${minWidth}px` }}>
        <colgroup>
          {columns.map(({ id, width }) => (
            <col key={id} style={width ? { width: `${width}px` } : {}} />
          ))}
        </colgroup>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.id} column={column} order={order} />
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted(rows, order.value, keys).map((row) => (
            <Row key={props.rowKey(row)} row={row} columns={columns} same={props.same} />
          ))}
          {rows.length === 0 && (
            <tr class="empty">
              <td colSpan={columns.length}>{props.empty}</td>
            </tr>
          )}
        </tbody>
        {last && (
          <tfoot>
            <Row row={last} columns={columns} same={props.same} />
          </tfoot>
        )}
      </table>
    </div>
  );
}

function Head<T>({ column, order }: { column: Column<T>; order: Signal<Order | null> }) {
  const own = order.value?.column === column.id ? order.value : null;
  return (
    <th
      scope="col"
      class={cellClass(column)}
      aria-sort={own ? (own.descending ? 'descending' : 'ascending') : 'none'}
    >
      <button
        type="button"
        title={column.title ?? `Sort by ${column.head}`}
        onClick={() => {
          order.value = nextOrder(order.value, column.id, column.number ?? false);
        }}
      >
        {column.head}
        {column.unit && <small> ({column.unit})</small>}
        <span class="arrow" aria-hidden="true">
          {own ? (own.descending ? '▾' : '▴') : ''}
        </span>
      </button>
    </th>
  );
}

interface RowProps<T> {
  row: T;
  columns: readonly Column<T>[];
  same: (a: T, b: T) => boolean;
}

class Row<T> extends Component<RowProps<T>> {
  override shouldComponentUpdate(next: RowProps<T>): boolean {
    return next.columns !== this.props.columns || !this.props.same(this.props.row, next.row);
  }

  override render({ row, columns }: RowProps<T>) {
    return (
      <tr>
        {columns.map((column) => (
          <td key={column.id} class={cellClass(column)}>
            {column.cell(row)}
          </td>
        ))}
      </tr>
    );
  }
}

function cellClass<T>(column: Column<T>): string {
  return `${column.number ? 'number' : ''} ${column.kind ?? ''}`.trim();
}
