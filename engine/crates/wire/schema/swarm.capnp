# The protocol between master and workers. A worker dials the master, calls
# `register` with a callback of its own, and gets a session.
#
# How this file may change is written in src/lib.rs, "Compatibility". Change it
# first, regenerate src/generated/swarm_capnp.rs, then use what is new:
#     SWARM_BLESS=1 cargo test --release -p swarm-wire --test schema

@0x8f5bdb3331d762ff;

# What the master offers to whoever connects.
interface Master {
  # Frozen: a worker of any version can call it and understand `refused`.
  register @0 (info :WorkerInfo, worker :Worker) -> (registration :Registration);

  # For workers with a token, before `register`: what their proof must cover.
  # Empty when the master has no token.
  challenge @1 () -> (nonce :Data);
}

# A registered worker's way to the master.
interface Session {
  # A sign of life. The answer is the master's clock in milliseconds.
  heartbeat @0 (heartbeat :Heartbeat) -> (masterTimeMs :UInt64);

  # Statistics of one interval. The answer is the highest sequence number up to
  # which the master has applied every report of this stream.
  report @1 (report :Report) -> (ackedSequence :UInt64);

  # Sends the module's bytes from `offset` on into `sink`. The answer is the size
  # of the whole module in bytes.
  fetchModule @2 (digest :Data, offset :UInt64, sink :ByteSink) -> (size :UInt64);

  # The worker is about to close the connection on purpose.
  leave @3 () -> ();
}

# The master's way to a worker.
interface Worker {
  # The answer says that the worker knows the order, not that it is carried out.
  order @0 (order :Order) -> ();

  # The worker shall end.
  quit @1 (reason :Text) -> ();
}

# Takes bytes in order, with flow control.
interface ByteSink {
  write @0 (bytes :Data) -> stream;
  done @1 () -> ();
}

struct WorkerInfo {
  # Frozen in its place: read before anything else, by every version.
  protocol @0 :UInt32;
  id @1 :Text;
  stream @2 :UInt64;
  version @3 :Text;
  cores @4 :UInt32;
  usersMax :union {
    unlimited @5 :Void;
    limit @6 :UInt32;
  }

  # Frozen in its place: the oldest protocol that the worker speaks as well; 0:
  # only `protocol`.
  protocolOldest @7 :UInt32;

  # With a token: the worker's nonce, and its proof over both nonces.
  nonce @8 :Data;
  proof @9 :Data;

  # Its part of the users beside those of the other workers.
  weight @10 :UInt32 = 1;

  # Number of this attempt to join; those of a process rise.
  attempt @11 :UInt32;
}

struct Registration {
  union {
    # Frozen: why not, in words for the operator.
    refused @0 :Text;
    accepted @1 :Accepted;
  }

  # With `refused`: it may be otherwise in a while, so the worker tries again.
  temporary @2 :Bool;
}

struct Accepted {
  session @0 :Session;
  masterTimeMs @1 :UInt64;
  workerIndex @2 :UInt32;
  version @3 :Text;
  module :union {
    none @4 :Void;
    some @5 :ModuleInfo;
  }

  # The newest protocol that both speak; 0: the worker's newest.
  protocol @6 :UInt32;

  # With a token: the master's proof over both nonces.
  proof @7 :Data;

  # What the module finds in its environment.
  environment @8 :List(Arg);
}

struct ModuleInfo {
  digest @0 :Data;
  size @1 :UInt64;
}

struct Order {
  number @0 :UInt64;
  test @1 :UInt32;
  module @2 :Data;
  testStartMs @3 :UInt64;
  spreadMs @4 :UInt64;
  users @5 :List(ClassUsers);
  settings @6 :Settings;
  moves @7 :List(Moves);
  issuedMs @8 :UInt64;
}

struct ClassUsers {
  class @0 :UInt32;
  ids @1 :List(IdRun);
}

# Users that move to another worker or come from one.
struct Moves {
  startMs @0 :UInt64;
  spreadMs @1 :UInt64;
  ids @2 :List(IdRun);
}

# Ids in a row. In a list the runs ascend.
struct IdRun {
  first @0 :UInt32;
  last @1 :UInt32;
}

struct Settings {
  host :union {
    none @0 :Void;
    some @1 :Text;
  }
  allowHosts @2 :List(Text);
  seed @3 :UInt64;
  args @4 :List(Arg);
  tags @5 :List(Text);
  excludeTags @6 :List(Text);
  stopTimeoutMs @7 :UInt64;
  requestTimeoutMs @8 :UInt64;
  insecure @9 :Bool;

  # To each host, of a load thread; 0: every user has its own.
  sharedConnections @10 :UInt32;

  # No request is sent again.
  noResend @11 :Bool;
  # With which address of a name a connection begins.
  addressOrder @12 :AddressOrder;
  # Reports say what came of each address.
  statsByAddress @13 :Bool;
}

enum AddressOrder {
  roundRobin @0;
  first @1;
  random @2;
}

struct Arg {
  name @0 :Text;
  value @1 :Text;
}

enum WorkerState {
  preparing @0;
  ready @1;
  spawning @2;
  running @3;
  stopping @4;
  leaving @5;
}

struct Heartbeat {
  state @0 :WorkerState;
  orderDone @1 :UInt64;
  users @2 :List(ClassCount);
  cpuPercent @3 :Float32;
  memoryBytes @4 :UInt64;
  problem :union {
    none @5 :Void;
    some @6 :Text;
  }

  finished @7 :List(IdRun);

  # Users that fit, once the module is prepared: with a connection each, and
  # with connections that they share.
  ownRoom :union {
    unlimited @8 :Void;
    limit @9 :UInt32;
  }
  warning :union {
    none @10 :Void;
    some @11 :Text;
  }
  sharedRoom :union {
    unlimited @12 :Void;
    limit @13 :UInt32;
  }

  # The highest order that has been taken, done or not. 0 from a worker that does
  # not tell: then only what is done counts as taken.
  orderTaken @14 :UInt64;

  # Requests that have been given to a connection or wait for one, and are not
  # answered.
  inFlight @15 :UInt64;
}

struct ClassCount {
  class @0 :UInt32;
  users @1 :UInt32;
}

struct Report {
  stream @0 :UInt64;
  sequence @1 :UInt64;
  fromMs @2 :UInt64;
  toMs @3 :UInt64;
  test @4 :UInt32;
  delta @5 :Delta;
}

struct Delta {
  entries @0 :List(Entry);
  errors @1 :List(ErrorKind);
  exceptions @2 :List(ExceptionKind);
  metrics @3 :List(Metric);
  interrupted @4 :UInt64;
  namesOverflowed @5 :UInt64;
  # By load thread, ascending.
  lateness @6 :List(Lateness);

  # What requests took of connections, those included that were cut off.
  opened @7 :UInt64;
  reused @8 :UInt64;
  connectsFailed @9 :UInt64;
  resent @10 :UInt64;

  # Requests given up before a connection had them.
  unsent @11 :UInt64;

  # Places in the test's list of arguments of those that a guest has asked for,
  # ascending. Each is told once in a test.
  argsRead @12 :List(UInt32);

  # With `Settings.statsByAddress`: ascending, each address once, IPv4 before IPv6.
  addresses @13 :List(AddressCounts);
}

struct AddressCounts {
  # As in 10.0.0.1:80 or [::1]:80; empty: all those above the limit.
  address @0 :Text;
  opened @1 :UInt64;
  failed @2 :UInt64;
  requests @3 :UInt64;
  failures @4 :UInt64;
}

# The buckets in use, ascending, as pairs of LEB128 numbers: buckets skipped, count.
# Which values share a bucket is that of an HdrHistogram with three digits.
using Histogram = Data;

struct Lateness {
  shard @0 :UInt32;
  times @1 :Histogram;
  maxUs @2 :UInt64;
}

struct Entry {
  method @0 :Text;
  name @1 :Text;
  requests @2 :UInt64;
  failures @3 :UInt64;
  bytes @4 :UInt64;
  times @5 :Histogram;
  sumUs @6 :UInt64;
  minUs @7 :UInt64;
  maxUs @8 :UInt64;

  # Failures without a response of any status.
  unanswered @9 :UInt64;

  # Times that a request of the samples was sent again.
  resent @10 :UInt64;
}

struct ErrorKind {
  method @0 :Text;
  name @1 :Text;
  error @2 :Text;
  occurrences @3 :UInt64;
  firstMs @4 :UInt64;
  lastMs @5 :UInt64;
}

struct ExceptionKind {
  message @0 :Text;
  trace @1 :Text;
  occurrences @2 :UInt64;
}

struct Metric {
  name @0 :Text;
  value :union {
    count @1 :Count;
    gauge @2 :Gauge;
    trend @3 :Trend;
    check @4 :Check;
  }
}

struct Count {
  sum @0 :Float64;
  updates @1 :UInt64;
}

struct Gauge {
  last @0 :Float64;
  lastMs @1 :UInt64;
  min @2 :Float64;
  max @3 :Float64;
}

struct Trend {
  values @0 :Histogram;
  sum @1 :Float64;
  min @2 :Float64;
  max @3 :Float64;
}

struct Check {
  passes @0 :UInt64;
  fails @1 :UInt64;
}
