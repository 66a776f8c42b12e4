//! The HTTP sessions of a load thread's users: one each, or a common one.

use std::sync::Arc;

use swarm_client::{BaseUrl, Session};
use swarm_core::message::Connections;

use crate::host::environment::Environment;

/// Gives each user its session.
pub(crate) struct Sessions {
    test: Arc<Environment>,
    /// With shared connections each class's; classes of one base URL have the same.
    shared: Vec<Arc<Session>>,
}

impl Sessions {
    pub(crate) fn new(test: &Arc<Environment>) -> Self {
        let shared = match test.settings.connections {
            Connections::PerUser => Vec::new(),
            Connections::Shared(_) => {
                let mut shared: Vec<Arc<Session>> = Vec::with_capacity(test.classes.len());
                for class in &test.classes {
                    let same = shared.iter().find(|session| session.base() == Some(&class.base));
                    let session = same.map_or_else(|| new(test, &class.base), Arc::clone);
                    shared.push(session);
                }
                shared
            }
        };
        Self { test: Arc::clone(test), shared }
    }

    /// The session of a new user of this class.
    pub(crate) fn of(&self, class: u32) -> Arc<Session> {
        match self.shared.get(class as usize) {
            Some(shared) => Arc::clone(shared),
            None => new(&self.test, &self.test.classes[class as usize].base),
        }
    }
}

fn new(test: &Environment, base: &BaseUrl) -> Arc<Session> {
    Arc::new(Session::new(Arc::clone(&test.client), Some(base.clone())))
}
