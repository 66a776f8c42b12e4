use swarm_sdk::prelude::*;

#[user]
struct Shopper {
    http: Http,
}

#[tasks]
impl Shopper {
    #[task]
    fn index(&mut self) -> u32 {
        3
    }

    #[task]
    fn response(&mut self) -> Result<Response, Error> {
        self.http.get("/")
    }

    #[on_start]
    fn log_in(&mut self) -> bool {
        true
    }
}

fn main() {}
