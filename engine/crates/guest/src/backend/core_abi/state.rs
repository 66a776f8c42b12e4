//! What the store of a guest of many users holds: what the host functions work on, and the tasks
//! that the canonical ABI has, which wasmtime's component layer would keep.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{AbortHandle, Abortable, join_all};
use wasmtime::component::Resource;

use super::Data;
use super::tasks::Tasks;
use crate::contract::bindings::swarm::scenario::http as wit;
use crate::host::concurrent::{Client, Outcome, State};
use crate::host::ctx::Ctx;
use crate::host::exchange::{Request, Sent, send};
use crate::host::user_key::Who;

/// What the store of such a guest holds.
pub(crate) struct CoreState {
    pub(crate) state: State,
    pub(crate) tasks: Tasks,
    /// What the guest has begun and nobody works on yet.
    pub(crate) begun: Vec<Work>,
}

/// What a flat guest has begun: gives the number of its subtask when it is done.
pub(crate) type Work = Pin<Box<dyn Future<Output = (u32, Done)> + Send>>;

/// What came of it.
#[expect(clippy::large_enum_variant, reason = "the large one is what nearly all are")]
pub(crate) enum Done {
    Slept,
    /// For the user of this stay.
    Answer(u32, Sent),
    Answers(u32, Vec<Sent>),
    /// Not sent at all.
    Refused(wit::Error),
    /// As many refused.
    AllRefused(Vec<Outcome>),
}

/// What a guest is told of what it has begun.
pub(crate) type Begun = wasmtime::Result<u32>;

impl Data for CoreState {
    fn ctx(&self) -> &Ctx {
        &self.state.ctx
    }

    fn ctx_mut(&mut self) -> &mut Ctx {
        &mut self.state.ctx
    }
}

impl CoreState {
    pub(crate) fn new(state: State) -> Self {
        Self { state, tasks: Tasks::default(), begun: Vec::new() }
    }

    /// Begins a request whose answer goes to `result` in the guest's memory.
    pub(crate) fn begin_request(
        &mut self,
        client: &Resource<Client>,
        request: Request,
        result: u32,
    ) -> Begun {
        if let Err(error) = self.state.ctx.room_for(1) {
            return self.begin(None, result, async move { Done::Refused(error) });
        }
        let client = self.state.ctx.table.get(client)?;
        let (session, who) = (Arc::clone(&client.session), client.who);
        let stay = who.stay;
        let record = self.state.ctx.record.clone();
        if self.state.interrupts.include(stay) {
            let sent = Sent::given_up(record);
            return self.begin(None, result, async move { Done::Answer(stay, sent) });
        }
        self.begin(Some(who), result, async move {
            Done::Answer(stay, send(&session, record, request).await)
        })
    }

    /// Begins a batch.
    pub(crate) fn begin_batch(
        &mut self,
        client: &Resource<Client>,
        requests: Vec<Resource<Request>>,
        result: u32,
    ) -> Begun {
        match self.state.prepare_batch(client, requests)? {
            Err(refused) => self.begin(None, result, async move { Done::AllRefused(refused) }),
            Ok((sender, batch)) => self.begin(None, result, async move {
                let stay = sender.stay;
                let sent = batch.into_iter().map(|request| sender.send(request));
                Done::Answers(stay, join_all(sent).await)
            }),
        }
    }

    /// Begins a wait.
    pub(crate) fn begin_sleep(&mut self, ms: u32) -> Begun {
        let sleep = tokio::time::sleep(Duration::from_millis(ms.into()));
        self.begin(None, 0, async move {
            sleep.await;
            Done::Slept
        })
    }

    fn begin(
        &mut self,
        of: Option<Who>,
        result: u32,
        work: impl Future<Output = Done> + Send + 'static,
    ) -> Begun {
        let (abort, registration) = AbortHandle::new_pair();
        let (number, told) = self.tasks.begin_subtask(of, result, abort)?;
        let work = Abortable::new(work, registration);
        let record = self.state.ctx.record.clone();
        self.begun.push(Box::pin(async move {
            // Given up: by the end of its user's time, or by the guest, who will not look at it.
            let given_up = |_| Done::Answer(0, Sent::given_up(record));
            (number, work.await.unwrap_or_else(given_up))
        }));
        Ok(told)
    }
}
