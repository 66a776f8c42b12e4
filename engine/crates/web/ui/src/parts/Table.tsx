// The one table that all tabs use: heads that sort, rows that draw themselves only when changed.

import { type Signal, useSignal } from '@preact/signals';
import { Component, type ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
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
  /** On a narrow screen each row is a block of its own, with the cell of kind `lead` first. */
  stacked?: boolean;
  /** Shown instead of rows when there are none. */
  empty: string;
}

const ROOM_PX = 170;

/** Rows are drawn in parts of so many, and only the parts that are near the reader. */
const PART_ROWS = 50;

/** What is this close to what is seen is drawn as well, so that nobody scrolls into the empty. */
const NEAR_PX = 800;

/** What a row is thought to take until its part has been drawn. */
const ROW_PX = 30;

export function Table<T>(props: Props<T>) {
  const { columns, rows, order, last } = props;
  const place = useRef<HTMLDivElement>(null);
  const rooms = columns.map(({ width, room }) => width ?? room ?? ROOM_PX);
  const minWidth = rooms.reduce((sum, room) => sum + room, 0);
  const keys = Object.fromEntries(columns.map((column) => [column.id, column.key]));
  const inOrder = sorted(rows, order.value, keys);
  const parts = Array.from({ length: Math.ceil(rows.length / PART_ROWS) }, (_, at) =>
    inOrder.slice(at * PART_ROWS, (at + 1) * PART_ROWS),
  );
  return (
    <div
      class={props.stacked ? 'scroll stacked' : 'scroll'}
      ref={place}
      tabIndex={0}
      role="region"
      aria-label={props.label}
    >
      <table style={{ '--room': `${minWidth}px` }}>
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
        {parts.map((part, at) => (
          <Part key={at} {...props} rows={part} first={at === 0} within={place} />
        ))}
        {rows.length === 0 && (
          <tbody>
            <tr class="empty">
              <td colSpan={columns.length}>
                <p>{props.empty}</p>
              </td>
            </tr>
          </tbody>
        )}
        {last && (
          <tfoot>
            <Row row={last} columns={columns} same={props.same} />
          </tfoot>
        )}
      </table>
    </div>
  );
}

interface PartProps<T> extends Props<T> {
  first: boolean;
  /** What the rows scroll in. */
  within: { current: Element | null };
}

/** Some rows of a table, or a gap as high as they are while they are far away. */
function Part<T>({ rows, columns, same, rowKey, first, within }: PartProps<T>) {
  const body = useRef<HTMLTableSectionElement>(null);
  const near = useSignal(first);
  const height = useRef<number | null>(null);
  useEffect(() => {
    const look = (entries: IntersectionObserverEntry[]): void => {
      const now = entries.at(-1)!;
      if (near.peek()) height.current = now.boundingClientRect.height;
      near.value = now.isIntersecting;
    };
    const options = { root: within.current, rootMargin: `${NEAR_PX}px 0px` };
    const observer = new IntersectionObserver(look, options);
    observer.observe(body.current!);
    return () => observer.disconnect();
  }, []);
  const gap = `${height.current ?? rows.length * ROW_PX}px`;
  return (
    <tbody ref={body}>
      {near.value ? (
        rows.map((row) => <Row key={rowKey(row)} row={row} columns={columns} same={same} />)
      ) : (
        <tr class="gap">
          <td colSpan={columns.length} style={{ height: gap }} />
        </tr>
      )}
    </tbody>
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
          <td key={column.id} class={cellClass(column)} data-head={column.head}>
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
