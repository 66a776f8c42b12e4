//! A shop: log in, look around, fill a cart, buy. Reads are more frequent than purchases.
//!
//! Shows what a scenario with state does: a login that must succeed, a token that every later
//! request carries, a cart that a task reads and another empties, an answer that is a failure
//! although its status says otherwise.

use swarm_sdk::prelude::*;

/// What the shop sells. Nobody has item 13 in stock.
const ITEMS: [u32; 6] = [1, 2, 3, 4, 5, 13];

#[user(wait = between(0.5, 2))]
struct Shopper {
    http: Http,
    user: User,
    random: Random,
    /// Items put into the cart and not bought yet.
    in_cart: u32,
}

#[tasks]
impl Shopper {
    /// The shop's cookie stays with the user's client: nothing to remember here.
    #[on_start]
    fn log_in(&mut self) -> TaskResult {
        let name = format!("shopper-{}", self.user.id);
        let password = args::get("password").unwrap_or_else(|| "swarm".into());
        let login = [("username", name.as_str()), ("password", password.as_str())];
        self.http.post("/login").form(&login).send()?.expect_status(200)?;
        Ok(())
    }

    #[task(weight = 5, tags("read"))]
    fn browse(&mut self) -> TaskResult {
        self.http.get("/items")?.expect_text("tea")?;
        Ok(())
    }

    #[task(weight = 3, tags("read"))]
    fn view(&mut self) -> TaskResult {
        let item = self.item();
        let url = format!("/items?item={item}");
        // One line in the statistics, whatever the item.
        self.http.request("GET", &url).name("/items?item=[id]").send()?;
        Ok(())
    }

    #[task(weight = 2, tags("buy"))]
    fn add_to_cart(&mut self) -> TaskResult {
        let line = format!(r#"{{"item": {}}}"#, self.item());
        self.http.post("/cart").json(&line).send()?.expect_status(200)?;
        self.in_cart += 1;
        Ok(())
    }

    #[task(tags("buy"))]
    fn buy(&mut self) -> TaskResult<Then> {
        if self.in_cart == 0 {
            return Ok(Then::Hurry);
        }
        let receipt = self.http.post("/checkout").send()?.expect_status(200)?;
        self.in_cart = 0;
        if receipt.text().contains("out of stock") {
            receipt.fail("out of stock");
        }
        Ok(Then::Rest)
    }

    fn item(&mut self) -> u32 {
        self.random.pick(&ITEMS).copied().unwrap_or(1)
    }
}

swarm_sdk::scenario!(Shopper);
