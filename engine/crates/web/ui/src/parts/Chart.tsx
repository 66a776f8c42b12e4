import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { figure, timeOfDay } from '../model/format';

export interface Curve {
  name: string;
  /** Name of a custom property of the style sheet. */
  color: string;
  /** In pixels. */
  width?: number;
  /** Drawn with gaps, so that a wider curve below it of the same height stays in sight. */
  dashed?: boolean;
}

interface Props {
  title: string;
  curves: readonly Curve[];
  /** Times in Unix seconds, then one column a curve. */
  data: (number | null)[][];
  format: (value: number) => string;
}

/** Distances of the marks on the time axis in seconds: whole ones, with a point in each. */
const TIME_STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800,
];

/** All charts of the page show the same moment under the pointer. */
const SYNC = 'seconds';

export function Chart({ title, curves, data, format }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const caption = useRef<HTMLElement>(null);
  const live = useRef<LiveChart | null>(null);

  useEffect(() => {
    const made = new LiveChart(place.current!, caption.current!, curves, data, format);
    live.current = made;
    return () => made.destroy();
  }, []);

  useEffect(() => live.current?.show(data), [data[0]]);

  return (
    <figure class="chart">
      <figcaption ref={caption}>
        <strong>{title}</strong>
      </figcaption>
      <div ref={place} class="plot" />
    </figure>
  );
}

/** A chart that takes new seconds while the reader may be looking at a part of it. */
class LiveChart {
  readonly #plot: uPlot;
  readonly #observer: ResizeObserver;
  /** The reader dragged over a part; a double click shows all again. */
  #zoomed = false;

  constructor(
    place: HTMLElement,
    caption: HTMLElement,
    curves: readonly Curve[],
    data: (number | null)[][],
    format: (value: number) => string,
  ) {
    const size = () => ({ width: place.clientWidth, height: place.clientHeight });
    const hooks: uPlot.Hooks.Arrays = {
      setCursor: [() => this.#legend()],
      setSelect: [
        (plot) => {
          if (plot.select.width > 0) this.#zoomed = true;
        },
      ],
    };
    const legend: uPlot.Legend = { mount: (_plot, table) => caption.append(table) };
    const options = { ...look(place, curves, format), ...size(), hooks, legend };
    this.#plot = new uPlot(options, data as uPlot.AlignedData, place);
    this.#plot.over.addEventListener('dblclick', () => {
      this.#zoomed = false;
    });
    this.#observer = new ResizeObserver(() => this.#plot.setSize(size()));
    this.#observer.observe(place);
    this.#legend();
  }

  show(data: (number | null)[][]): void {
    this.#plot.setData(data as uPlot.AlignedData, !this.#zoomed);
    if (this.#zoomed) this.#plot.redraw();
    this.#legend();
  }

  destroy(): void {
    this.#observer.disconnect();
    this.#plot.destroy();
  }

  /** Without a pointer over the charts the legend shows the newest second. */
  #legend(): void {
    // The hook may come while the constructor of the plot still runs.
    const plot = this.#plot as uPlot | undefined;
    if (plot && plot.cursor.idx == null) {
      plot.setLegend({ idx: plot.data[0].length - 1 }, false);
    }
  }
}

function look(
  place: HTMLElement,
  curves: readonly Curve[],
  format: (value: number) => string,
): Omit<uPlot.Options, 'width' | 'height'> {
  const color = (name: string): string => resolved(place, name);
  const line = { stroke: color('--line'), width: 1 };
  const axis = { stroke: color('--muted'), grid: line, ticks: line, font: '11px system-ui' };
  return {
    cursor: { sync: { key: SYNC }, drag: { x: true, y: false } },
    scales: { y: { range: (_plot, _min, max) => [0, top(max)] } },
    axes: [
      {
        ...axis,
        space: 70,
        size: 30,
        incrs: TIME_STEPS_S,
        values: (_plot, at) => at.map((s) => timeOfDay(s * 1000)),
      },
      { ...axis, space: 36, size: 56, values: (_plot, values) => values.map(figure) },
    ],
    series: [
      { label: 'Time', value: (_plot, at) => (at == null ? '–' : timeOfDay(at * 1000)) },
      ...curves.map((curve) => ({
        label: curve.name,
        stroke: color(curve.color),
        width: curve.width ?? 1.5,
        ...(curve.dashed ? { dash: [6, 5] } : {}),
        points: { show: false },
        value: (_plot: uPlot, value: number | null) => (value == null ? '–' : format(value)),
      })),
    ],
  };
}

/** Some room above the highest point; 1 where all is zero. */
function top(max: number | null): number {
  return max === null || max <= 0 ? 1 : max * 1.1;
}

/** The present value of a colour of the style sheet: canvases do not read custom properties. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  element.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}
