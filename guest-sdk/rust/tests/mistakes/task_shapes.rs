use swarm_sdk::prelude::*;

#[user]
struct Shopper {
    http: Http,
}

#[tasks]
impl Shopper {
    #[task]
    fn later(&mut self) {}

    #[task]
    fn of_nobody() {}

    #[task]
    fn consumed(self) {}

    #[task]
    fn with_argument(&mut self, page: u32) {}

    #[task]
    fn of_any<T>(&mut self) {}

    #[task]
    #[on_start]
    fn both(&mut self) {}

    #[on_stop]
    fn bye(&mut self) {}

    #[on_stop]
    fn bye_again(&mut self) {}
}

fn main() {}
