use swarm_sdk::prelude::*;

const LONGEST: f64 = 0.5;

#[user(wait = between(1, LONGEST))]
struct Swapped;

#[user(wait = constant(-1))]
struct Negative;

#[user(wait = constant(0.0001))]
struct TooShort;

#[user(wait = pacing(0))]
struct NoPace;

#[user(weight = 0)]
struct NoWeight;

#[user(fixed = 0)]
struct NoUsers;

#[user(fixed = 1.5)]
struct HalfAUser;

#[tasks]
impl NoPace {
    #[task(weight = -2)]
    fn index(&mut self) {}
}

fn main() {}
