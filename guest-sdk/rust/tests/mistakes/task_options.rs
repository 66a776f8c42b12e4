use swarm_sdk::prelude::*;

#[user]
struct Shopper;

#[tasks(order = random, set(cart), set(empty))]
impl Shopper {
    #[task(wieght = 3)]
    fn misspelt(&mut self) {}

    #[task(tags = "read")]
    fn tags_by_equals(&mut self) {}

    #[task(tag("read"))]
    fn tag(&mut self) {}

    #[task(set = shop)]
    fn undeclared(&mut self) {}

    #[task(set = cart, name = 3)]
    fn named_by_number(&mut self) {}
}

#[user]
struct Steps;

#[tasks(order = sequential)]
impl Steps {
    #[task(weight = 2)]
    fn weighted(&mut self) {}
}

fn main() {}
