//! What the page and the program ask for: to start a test or edit it, to stop, to reset.

use std::time::Duration;

use swarm_core::cluster::{Load, State as TestState};
use swarm_core::plan::UserClass;
use swarm_guest::test;
use swarm_web::view::{Answer, Command, SwarmRequest};

use super::state::{Decided, State};
use crate::journal::record::Record;

impl State {
    pub(super) fn command(&mut self, command: Command) {
        let (reply, answer) = match command {
            Command::Swarm(request, reply) => (reply, self.swarm(request)),
            Command::Stop(reply) => (reply, self.stop()),
            Command::Reset(reply) => (reply, self.reset()),
        };
        self.show();
        self.decided.push(Decided::Answer { reply, answer });
    }

    fn swarm(&mut self, request: SwarmRequest) -> Answer {
        let mut settings = self.results.settings.clone();
        if let Some(host) = request.host.filter(|host| !host.is_empty()) {
            settings.host = Some(host);
        }
        let checked = test::check(&self.config.plan, &settings);
        checked.map_err(|error| error.to_string())?;
        settings.check().map_err(|error| error.to_string())?;
        if let Some(capacity) = &self.config.capacity {
            capacity.admit(request.user_count).map_err(|error| error.to_string())?;
        }
        let load = Load {
            users: request.user_count,
            spawn_rate: request.spawn_rate,
            run_time: request.run_time_s.map(Duration::from_secs),
            settings: settings.clone(),
            only_classes: self.only_classes(request.user_classes.as_deref())?,
        };
        let editing = self.cluster.is_busy();
        let actions = self.cluster.start(self.clock.now(), load)?;
        self.record(Record::Settings(Box::new(settings)));
        self.told_room = None;
        self.apply(actions);
        self.tell_room();
        Ok(if editing { "Swarming changed" } else { "Swarming started" }.to_owned())
    }

    /// The indexes of the classes that a request names, empty for all of them. Without names those
    /// of the running test are kept, and a new test has all.
    fn only_classes(&self, names: Option<&[String]>) -> Result<Vec<u32>, String> {
        let Some(names) = names else {
            let load = self.cluster.load().filter(|_| self.cluster.is_busy());
            return Ok(load.map(|load| load.only_classes.clone()).unwrap_or_default());
        };
        let classes = &self.config.plan.classes;
        if let Some(unknown) = names.iter().find(|&name| classes.iter().all(|c| c.name != *name)) {
            return Err(format!("there is no user class {unknown:?}"));
        }
        let named = |class: &UserClass| names.contains(&class.name);
        if !classes.iter().any(|class| named(class) && class.population.is_somebody()) {
            return Err(format!("no user would start: the weight of {} is 0", names.join(", ")));
        }
        if classes.iter().all(named) {
            return Ok(Vec::new());
        }
        let indexes = (0..).zip(classes).filter(|(_, class)| named(class));
        Ok(indexes.map(|(index, _)| index).collect())
    }

    fn stop(&mut self) -> Answer {
        match self.cluster.state() {
            TestState::Spawning | TestState::Running => {
                let actions = self.cluster.stop(self.clock.now());
                self.apply(actions);
                Ok("Test stopped".to_owned())
            }
            TestState::Stopping => Ok("Test is stopping".to_owned()),
            TestState::Ready | TestState::Stopped => Ok("No test is running".to_owned()),
        }
    }

    fn reset(&mut self) -> Answer {
        self.record(Record::Reset { at_ms: self.now_ms() });
        Ok("Statistics reset".to_owned())
    }
}
