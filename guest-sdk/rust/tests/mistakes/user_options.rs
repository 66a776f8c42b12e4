use swarm_sdk::prelude::*;

#[user(wait_time = between(1, 5))]
struct Renamed;

#[user(wait = 3)]
struct NoKind;

#[user(wait = sometimes(3))]
struct NoSuchWait;

#[user(wait = between(1))]
struct OneBound;

#[user(weight = 3, fixed = 2)]
struct Both;

#[user(weight = 3, weight = 4)]
struct Twice;

#[user(tempo = 3, host("http://localhost"))]
struct TwoMistakes;

#[user]
enum NotAStruct {}

#[user]
struct Generic<T>(T);

fn main() {}
