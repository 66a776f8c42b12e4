//! What `cargo xtask bench instructions` counts of this crate: a case, so many times.
//!
//! ```text
//! cost_client request TIMES URL
//! ```
//! One session sends one request after the other over one connection, to a server on loopback.

use swarm_client::{AllowList, BaseUrl, ClientConfig, Request, Session, Shared};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().ok_or("usage: cost_client request TIMES URL")?;
    let times: u32 = arguments.next().ok_or("how many times?")?.parse()?;
    let base: BaseUrl = arguments.next().ok_or("which URL?")?.parse()?;
    if case != "request" {
        return Err(format!("there is no case `{case}`").into());
    }
    if !base.to_string().starts_with("http://127.") {
        return Err("only a server on loopback".into());
    }
    let mut allowed = AllowList::default();
    allowed.target(&base);
    let session = Session::new(Shared::new(ClientConfig::default(), allowed)?, Some(base));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for at in 0..times {
            let request =
                Request { keep_body: false, ..Request::get(format!("/?item={}", at % 1000)) };
            let response = session.send(request).await?;
            if response.status != 200 {
                return Err(format!("the server answers with {}", response.status).into());
            }
        }
        Ok(())
    })
}
