use swarm_sdk::prelude::*;

struct Token(String);

#[user]
struct Shopper {
    http: Http,
    token: Token,
}

fn main() {}
