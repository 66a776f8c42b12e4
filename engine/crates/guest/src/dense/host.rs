//! What a dense guest imports beside what every guest imports: requests and waits that hold up the
//! task which makes them and nobody else.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use swarm_client::Session;
use tokio::sync::Notify;
use wasmtime::component::{Access, Accessor, HasData, HasSelf, Resource};
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::bindings::swarm::scenario::{clock_async, http_async};
use crate::bindings::swarm::scenario::clock::Host as _;
use crate::bindings::swarm::scenario::http as wit;
use crate::ctx::Ctx;
use crate::host::http::{BATCH_MAX, InFlight, Request, Response, answered, entry_of};
use crate::test::Record;

type Trappable<T> = wasmtime::Result<T>;
type Outcome = Result<Resource<Response>, wit::Error>;

/// What the store of a dense instance holds.
pub(crate) struct State {
    pub(super) ctx: Ctx,
    pub(super) interrupts: Arc<Interrupts>,
    /// Its users have no connections of their own.
    pub(super) shared: bool,
    /// Whose response has the handle of this number, or had it last. No more than responses were
    /// ever open at a time.
    owners: HashMap<u32, u32>,
}

/// Leads from the store's data to what every guest's functions work on.
pub(super) struct Common;

impl HasData for Common {
    type Data<'a> = &'a mut Ctx;
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.ctx.ctx()
    }
}

/// The client of one dense user.
#[expect(unreachable_pub, reason = "named by the generated bindings")]
pub struct Client {
    pub(super) session: Arc<Session>,
    /// The user's stay, see `users`.
    pub(super) stay: u32,
}

/// The users whose requests and waits are given up. A guest's call cannot be ended from outside,
/// but what it waits for can.
#[derive(Debug, Default)]
pub(super) struct Interrupts {
    stays: Mutex<HashSet<u32>>,
    more: Notify,
}

impl Interrupts {
    pub(super) fn interrupt(&self, stay: u32) {
        self.stays().insert(stay);
        self.more.notify_waiters();
    }

    pub(super) fn forget(&self, stay: u32) {
        self.stays().remove(&stay);
    }

    fn include(&self, stay: u32) -> bool {
        self.stays().contains(&stay)
    }

    /// Resolves when this user is interrupted.
    async fn of(&self, stay: u32) {
        loop {
            let more = self.more.notified();
            if self.include(stay) {
                return;
            }
            more.await;
        }
    }

    fn stays(&self) -> MutexGuard<'_, HashSet<u32>> {
        self.stays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an exchange needs once it has left the store.
struct Sender {
    session: Arc<Session>,
    record: Record,
    interrupts: Arc<Interrupts>,
    stay: u32,
}

impl Sender {
    fn new(state: &State, client: &Resource<Client>) -> Trappable<Self> {
        let client = state.ctx.table.get(client)?;
        Ok(Self {
            session: Arc::clone(&client.session),
            record: state.ctx.record.clone(),
            interrupts: Arc::clone(&state.interrupts),
            stay: client.stay,
        })
    }

    /// Sends one request, unless the user is interrupted already. If that comes before the answer,
    /// the request counts as interrupted.
    async fn send(&self, request: Request) -> Sent<'_> {
        let record = &self.record;
        if self.interrupts.include(self.stay) {
            return Sent { result: None, record };
        }
        let entry = entry_of(record, &self.session, &request);
        let in_flight = InFlight { record, requests: 1 };
        let result = tokio::select! {
            biased;
            answer = self.session.send(request.request) => {
                in_flight.ended();
                Some(answered(record, entry, answer))
            }
            () = self.interrupts.of(self.stay) => None,
        };
        Sent { result, record }
    }
}

/// What came of a request, on its way to the guest. An answer is counted also when the instance
/// ends before the guest has it, as when the rest of its batch is waited for.
struct Sent<'a> {
    /// `None` if it was given up.
    result: Option<Result<Response, swarm_client::Error>>,
    record: &'a Record,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if let Some(Ok(response)) = &mut self.result {
            response.settle(self.record);
        }
    }
}

fn interrupted() -> Outcome {
    let message = "given up: the user is stopped".to_owned();
    Err(wit::Error { kind: wit::ErrorKind::Other, message })
}

impl State {
    pub(super) fn new(ctx: Ctx, interrupts: Arc<Interrupts>, shared: bool) -> Self {
        Self { ctx, interrupts, shared, owners: HashMap::new() }
    }

    /// Hands over to the guest what [`Sender::send`] gave for the user of this stay.
    fn outcome(&mut self, stay: u32, mut sent: Sent<'_>) -> Trappable<Outcome> {
        let Some(result) = sent.result.take() else { return Ok(interrupted()) };
        let outcome = self.ctx.outcome(result)?;
        if let Ok(response) = &outcome {
            self.owners.insert(response.rep(), stay);
        }
        Ok(outcome)
    }

    /// Records every response of this user that its task neither marked nor dropped.
    pub(super) fn settle(&mut self, stay: u32) -> Trappable<()> {
        let ctx = &mut self.ctx;
        let mut at = 0;
        // Of others there are only those that they are about to read.
        while let Some(&handle) = ctx.unmarked.get(at) {
            if self.owners.get(&handle) != Some(&stay) {
                at += 1;
                continue;
            }
            ctx.unmarked.swap_remove(at);
            // The guest owns the handle; this second one only finds the response again.
            let response = ctx.table.get_mut(&Resource::<Response>::new_own(handle))?;
            response.settle(&ctx.record);
        }
        Ok(())
    }
}

/// Sends one request; `prepare` takes it from the guest.
async fn send_one<U: Send + 'static>(
    accessor: &Accessor<U, HasSelf<State>>,
    client: Resource<Client>,
    prepare: impl FnOnce(&mut Ctx) -> Trappable<Request>,
) -> Trappable<Outcome> {
    let prepared = accessor.with(|mut access| {
        let state = access.get();
        let request = prepare(&mut state.ctx)?;
        if let Err(error) = state.ctx.room_for(1) {
            return Ok(Err(error));
        }
        Sender::new(state, &client).map(|sender| Ok((sender, request)))
    });
    let (sender, request) = match prepared? {
        Ok(prepared) => prepared,
        Err(error) => return Ok(Err(error)),
    };
    let result = sender.send(request).await;
    accessor.with(|mut access| access.get().outcome(sender.stay, result))
}

impl http_async::Host for State {}

impl http_async::HostClient for State {
    fn header(&mut self, client: Resource<Client>, name: String, value: String) -> Trappable<()> {
        if self.shared {
            self.ctx.complain(
                "client.header: users that share connections (--connections shared) have no \
                 headers of their own; set it on each request",
            );
            return Ok(());
        }
        let set = self.ctx.table.get(&client)?.session.header(&name, &value);
        if let Err(error) = set {
            self.ctx.complain(&format!("client.header: {}", error.message));
        }
        Ok(())
    }

    fn drop(&mut self, client: Resource<Client>) -> Trappable<()> {
        self.ctx.table.delete(client)?;
        Ok(())
    }
}

impl<U: Send + 'static> http_async::HostClientWithStore<U> for HasSelf<State> {
    async fn get(
        accessor: &Accessor<U, Self>,
        client: Resource<Client>,
        url: String,
    ) -> Trappable<Outcome> {
        send_one(accessor, client, |ctx| Ok(ctx.request("GET", url))).await
    }

    async fn send(
        accessor: &Accessor<U, Self>,
        client: Resource<Client>,
        request: Resource<wit::Request>,
    ) -> Trappable<Outcome> {
        send_one(accessor, client, |ctx| ctx.take(request)).await
    }

    async fn batch(
        accessor: &Accessor<U, Self>,
        client: Resource<Client>,
        requests: Vec<Resource<wit::Request>>,
    ) -> Trappable<Vec<Outcome>> {
        let prepared = accessor.with(|mut access| prepare_batch(&mut access, &client, requests));
        let (sender, batch) = match prepared? {
            Ok(prepared) => prepared,
            Err(refused) => return Ok(refused),
        };
        let results = batch.into_iter().map(|request| sender.send(request));
        let results = join_all(results).await;
        accessor.with(|mut access| {
            let state = access.get();
            results.into_iter().map(|result| state.outcome(sender.stay, result)).collect()
        })
    }
}

/// A batch that can be sent, or the answers of one that is not.
type Prepared = Result<(Sender, Vec<Request>), Vec<Outcome>>;

/// Takes the requests of a batch from the guest, or says for each why it is not sent.
fn prepare_batch<U: Send + 'static>(
    access: &mut Access<'_, U, HasSelf<State>>,
    client: &Resource<Client>,
    requests: Vec<Resource<wit::Request>>,
) -> Trappable<Prepared> {
    let state = access.get();
    let mut batch = Vec::with_capacity(requests.len());
    for request in requests {
        batch.push(state.ctx.take(request)?);
    }
    let refused = if batch.len() > BATCH_MAX {
        let message =
            format!("not sent: a batch of {} requests; {BATCH_MAX} is the most", batch.len());
        state.ctx.complain(&message);
        Some(wit::Error { kind: wit::ErrorKind::Other, message })
    } else {
        state.ctx.room_for(batch.len()).err()
    };
    if let Some(error) = refused {
        return Ok(Err(batch.iter().map(|_| Err(error.clone())).collect()));
    }
    Ok(Ok((Sender::new(state, client)?, batch)))
}

impl clock_async::Host for State {
    fn now(&mut self) -> Trappable<f64> {
        self.ctx.now()
    }
}

impl<U: Send + 'static> clock_async::HostWithStore<U> for HasSelf<State> {
    async fn sleep(_: &Accessor<U, Self>, ms: u32) -> Trappable<()> {
        tokio::time::sleep(Duration::from_millis(ms.into())).await;
        Ok(())
    }
}
