// What the server sends. The names are those of `view.rs` and `snapshot.rs`.

export type State = 'ready' | 'spawning' | 'running' | 'stopping' | 'stopped' | (string & {});

export interface Worker {
  id: string;
  index: number;
  state: string;
  /** How much of the module has gone to it, while it fetches that. */
  module_percent: number | null;
  user_count: number;
  /** Requests given to a connection or waiting for one, and not answered. */
  in_flight: number;
  /** Percent of one core. */
  cpu_usage: number;
  /** Bytes. */
  memory_usage: number;
  lateness_ms: WorkerLateness | null;
  problem: string | null;
}

/** From when tasks were due until they were started, in milliseconds. */
export interface Lateness {
  p99: number;
  max: number;
}

/** Of all tasks of a worker, and of its load thread that was latest. */
export interface WorkerLateness extends Lateness {
  worst_shard: number;
  worst: Lateness;
  /** The master's verdict on that thread: its users wait for it. */
  late: boolean;
}

export interface UserClass {
  name: string;
  user_count: number;
  /** It gets users in the current or last test. */
  runs: boolean;
}

export interface Notice {
  at_ms: number;
  text: string;
}

export interface Times {
  min: number;
  median: number;
  mean: number;
  p95: number;
  p99: number;
  max: number;
}

export interface Entry {
  method: string;
  name: string;
  num_requests: number;
  num_failures: number;
  /** Times that one of the samples' requests was sent again. */
  num_resent: number;
  bytes: number;
  response_time_ms: Times;
  rps: number;
  fail_per_sec: number;
  current_rps: number;
  current_fail_per_sec: number;
}

export interface Failure {
  method: string;
  name: string;
  error: string;
  occurrences: number;
  first_ms: number;
  last_ms: number;
}

export interface Exception {
  message: string;
  trace: string;
  count: number;
  nodes: string[];
}

export interface Second {
  at_ms: number;
  users: number;
  in_flight: number;
  requests: number;
  failures: number;
  p50_p95_ms: [number, number] | null;
}

export type Metric = { name: string } & (
  | { kind: 'count'; sum: number; updates: number }
  | { kind: 'gauge'; last: number; min: number; max: number }
  | {
      kind: 'trend';
      values: number;
      min: number;
      mean: number;
      max: number;
      percentiles: number[];
    }
  | { kind: 'check'; passes: number; fails: number }
);

/** What all requests took of connections. */
export interface Connections {
  opened: number;
  reused: number;
  failed: number;
  resent: number;
}

export interface Stats {
  total: Entry;
  entries: readonly Entry[];
  errors: readonly Failure[];
  exceptions: readonly Exception[];
  metrics: readonly Metric[];
  connections: Connections;
  /** Cut off on their way, and in no other figure. */
  interrupted: number;
  /** Given up before a connection had them, and in no other figure. */
  unsent: number;
  names_overflowed: number;
  lateness_ms: [number, number, number] | null;
  /** The master's verdict: the generator is the bottleneck. */
  late: boolean;
}

export interface View {
  state: State;
  scenario: string;
  host: string;
  user_count: number;
  /** Requests given to a connection or waiting for one, and not answered. */
  in_flight: number;
  target_users: number;
  spawn_rate: number;
  run_time_s: number | null;
  classes: UserClass[];
  workers: readonly Worker[];
  /** Users run in the master's own process. */
  is_local: boolean;
  clock_origin_unix_ms: number;
  test_start_ms: number | null;
  /** `null` while a test runs. */
  test_end_ms: number | null;
  now_ms: number;
  /** Why the figures cannot be trusted as they are now, the gravest first. */
  warnings: readonly string[];
  notices: Notice[];
  stats: Stats;
}

/** The rows of a table that are new or changed since the last event. */
export interface Change<T> {
  /** The rows from before are to be forgotten. */
  all: boolean;
  rows: readonly T[];
}

/** One event of the stream. The tables in `view` are empty: they come beside it. */
export interface LiveEvent {
  view: View;
  tables: {
    entries: Change<Entry>;
    errors: Change<Failure>;
    exceptions: Change<Exception>;
    metrics: Change<Metric>;
    workers: Change<Worker>;
  };
  /** There is something to log out of. */
  login: boolean;
  /** Seconds before this one are to be forgotten; `null`: all of them. */
  oldest_second_ms: number | null;
  seconds: Second[];
}
