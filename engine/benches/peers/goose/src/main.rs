//! The benchmark's scenario, for goose: GET / with a query built anew each time, no wait.
//!
//! goose takes its flags from the command line. It is run on one thread, the way that is cheapest
//! on one core.

use goose::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// Queries repeat after so many requests.
const ITEMS: u32 = 1000;

static ITEM: AtomicU32 = AtomicU32::new(0);

async fn index(user: &mut GooseUser) -> TransactionResult {
    let item = ITEM.fetch_add(1, Ordering::Relaxed) % ITEMS;
    let path = format!("/?item={item}");
    // goose counts an error status as a failure by itself.
    user.get_named(&path, "/").await?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let scenario = scenario!("Bench").register_transaction(transaction!(index));
        GooseAttack::initialize()?.register_scenario(scenario).execute().await?;
        Ok::<(), GooseError>(())
    })?;
    Ok(())
}
