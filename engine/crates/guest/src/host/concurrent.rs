//! What a guest of many users imports beside what every guest imports: requests and waits that hold
//! up the
//! task which makes them and nobody else.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hashbrown::HashMap;
use swarm_client::Session;
use wasmtime::component::{Accessor, HasData, HasSelf, Resource};
use wasmtime_wasi::{WasiCtxView, WasiView};

use crate::contract::bindings::swarm::scenario::clock::Host as _;
use crate::contract::bindings::swarm::scenario::http as wit;
use crate::contract::bindings_async::swarm::scenario::{clock_async, http_async};
use crate::host::ctx::Ctx;
use crate::host::exchange::{Request, Response, Sent, send};
use crate::host::http::BATCH_MAX;
use crate::host::interrupts::Interrupts;
use crate::host::samples::Record;
use crate::host::script_wishes::Wishes;
use crate::host::user_key::Who;

type Trappable<T> = wasmtime::Result<T>;
pub(crate) type Outcome = Result<Resource<Response>, wit::Error>;

/// What the store of a dense instance holds.
pub(crate) struct State {
    pub(crate) ctx: Ctx,
    pub(crate) interrupts: Arc<Interrupts>,
    /// Its users have no connections of their own.
    pub(crate) shared: bool,
    /// Whose response has the handle of this number, or had it last. No more than responses were
    /// ever open at a time.
    owners: HashMap<u32, u32>,
    /// Of a scripting language's runtime.
    pub(crate) script: Wishes,
}

/// Leads from the store's data to what every guest's functions work on.
pub(crate) struct Common;

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
    pub(crate) session: Arc<Session>,
    /// The user.
    pub(crate) who: Who,
}

/// What an exchange needs once it has left the store.
pub(crate) struct Sender {
    session: Arc<Session>,
    record: Record,
    interrupts: Arc<Interrupts>,
    pub(crate) stay: u32,
}

impl Sender {
    fn new(state: &State, client: &Resource<Client>) -> Trappable<Self> {
        let client = state.ctx.table.get(client)?;
        Ok(Self {
            session: Arc::clone(&client.session),
            record: state.ctx.record.clone(),
            interrupts: Arc::clone(&state.interrupts),
            stay: client.who.stay,
        })
    }

    /// Sends one request, unless the user is interrupted already.
    pub(crate) async fn send(&self, request: Request) -> Sent {
        if self.interrupts.include(self.stay) {
            return Sent::given_up(self.record.clone());
        }
        tokio::select! {
            biased;
            sent = send(&self.session, self.record.clone(), request) => sent,
            () = self.interrupts.of(self.stay) => Sent::given_up(self.record.clone()),
        }
    }
}

impl State {
    pub(crate) fn new(ctx: Ctx, interrupts: Arc<Interrupts>, shared: bool) -> Self {
        let (owners, script) = Default::default();
        Self { ctx, interrupts, shared, owners, script }
    }

    /// Hands over to the guest what [`Sender::send`] gave for the user of this stay.
    pub(crate) fn outcome(&mut self, stay: u32, sent: Sent) -> Trappable<Outcome> {
        let outcome = self.ctx.outcome(sent)?;
        if let Ok(response) = &outcome {
            self.owners.insert(response.rep(), stay);
        }
        Ok(outcome)
    }

    /// Records every response of this user that its task neither marked nor dropped.
    pub(crate) fn settle(&mut self, stay: u32) -> Trappable<()> {
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

impl State {
    /// The guest gives its client back.
    pub(crate) fn drop_client(&mut self, client: Resource<Client>) -> Trappable<()> {
        self.ctx.table.delete(client)?;
        Ok(())
    }

    /// Sets a header of the user's requests, if it has connections of its own.
    pub(crate) fn set_header(
        &mut self,
        client: &Resource<Client>,
        name: &str,
        value: &str,
    ) -> Trappable<()> {
        if self.shared {
            self.ctx.complain(
                "client.header: users that share connections (--connections shared) have no \
                 headers of their own; set it on each request",
            );
            return Ok(());
        }
        let set = self.ctx.table.get(client)?.session.header(name, value);
        if let Err(error) = set {
            self.ctx.complain(&format!("client.header: {}", error.message));
        }
        Ok(())
    }

    /// Takes the requests of a batch from the guest, or says for each why it is not sent.
    pub(crate) fn prepare_batch(
        &mut self,
        client: &Resource<Client>,
        requests: Vec<Resource<Request>>,
    ) -> Trappable<Prepared> {
        let mut batch = Vec::with_capacity(requests.len());
        for request in requests {
            batch.push(self.ctx.take(request)?);
        }
        let refused = if batch.len() > BATCH_MAX {
            let message =
                format!("not sent: a batch of {} requests; {BATCH_MAX} is the most", batch.len());
            self.ctx.complain(&message);
            Some(wit::Error { kind: wit::ErrorKind::Other, message })
        } else {
            self.ctx.room_for(batch.len()).err()
        };
        if let Some(error) = refused {
            return Ok(Err(batch.iter().map(|_| Err(error.clone())).collect()));
        }
        Ok(Ok((Sender::new(self, client)?, batch)))
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
        self.set_header(&client, &name, &value)
    }

    fn drop(&mut self, client: Resource<Client>) -> Trappable<()> {
        self.drop_client(client)
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
        let prepared = accessor.with(|mut access| access.get().prepare_batch(&client, requests));
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
pub(crate) type Prepared = Result<(Sender, Vec<Request>), Vec<Outcome>>;

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
