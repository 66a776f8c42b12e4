import { useComputed } from '@preact/signals';
import { count, ms } from '../model/format';
import { columnsOf } from '../model/series';
import { series, seriesVersion, theme, view } from '../model/store';
import { Chart, type Curve } from './Chart';

const LOAD: readonly Curve[] = [
  { name: 'Requests/s', color: '--curve-good', width: 2.5 },
  { name: 'Failures/s', color: '--curve-bad', dashed: true },
];
const TIMES: readonly Curve[] = [
  { name: '50%', color: '--curve-one' },
  { name: '95%', color: '--curve-two' },
];
const USERS: readonly Curve[] = [
  { name: 'Users', color: '--curve-users', width: 2.5 },
  { name: 'Requests on their way', color: '--curve-two', dashed: true },
];

export function Charts() {
  const origin = view.value?.clock_origin_unix_ms ?? 0;
  const columns = useComputed(() => {
    // The columns are changed in place; the version is what tells.
    void seriesVersion.value;
    return columnsOf(series, view.peek()?.clock_origin_unix_ms ?? 0);
  }).value;
  const { at, requests, failures, p50, p95, users, inFlight } = columns;
  // The colours are read when a chart is made, so a change of theme makes it anew.
  const key = `${theme.value} ${origin}`;
  if (at.length === 0) return <p class="nothing">The first second is not over yet.</p>;
  return (
    <div class="charts">
      <Chart
        key={`load ${key}`}
        title="Requests per second"
        curves={LOAD}
        data={[at, requests, failures]}
        format={count}
      />
      <Chart
        key={`times ${key}`}
        title="Response times (ms)"
        curves={TIMES}
        data={[at, p50, p95]}
        format={ms}
      />
      <Chart
        key={`users ${key}`}
        title="Users"
        curves={USERS}
        data={[at, users, inFlight]}
        format={count}
      />
    </div>
  );
}
