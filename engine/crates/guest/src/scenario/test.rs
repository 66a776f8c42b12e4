//! What all users of one test on one node have in common.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use swarm_client::{
    AllowList, AllowListError, BaseUrl, BaseUrlError, ClientConfig, ConfigError, Shared,
};
use swarm_core::choice::{self, ClassPlan};
use swarm_core::message::{AddressOrder, Connections, Settings};
use swarm_core::plan::{Scenario, Sharing, UserClass};
use swarm_core::validate;

use crate::host::clock::Clock;
use crate::host::environment::{Class, Environment, LogGate};
use crate::scenario::module::Module;

/// Why a test cannot run.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The plan is not sound, or the tags leave nothing of it.
    #[error(transparent)]
    Plan(#[from] validate::PlanError),
    /// A host is not one.
    #[error("the host {of}: {source}")]
    Host {
        /// Whose host it is.
        of: String,
        /// What is wrong with it.
        source: BaseUrlError,
    },
    /// An entry of the allow list is not one.
    #[error(transparent)]
    Allow(#[from] AllowListError),
    /// A class names a host that the operator did not allow.
    #[error(
        "class {class:?} wants the host {host}, which is neither --host nor allowed: add \
         --allow-host {host}"
    )]
    ClassHost {
        /// The class.
        class: String,
        /// Its host.
        host: String,
    },
    /// Neither the class nor the operator names a host.
    #[error("class {class:?} has no host: give one with --host http://NAME:PORT")]
    NoHost {
        /// The class.
        class: String,
    },
    /// The operator of this node does not let users reach the host.
    #[error(
        "users of class {class:?} may not reach {host} from here: it is not in this worker's own \
         --allow-host"
    )]
    NotFromHere {
        /// The class.
        class: String,
        /// Its host.
        host: String,
    },
    /// Connections are shared by users that have an instance each.
    #[error(
        "--connections shared is for scenarios of the async world (scenario-async): the users of \
         this one keep connections of their own"
    )]
    SharedConnections,
    /// A scenario of the async world limits how many users share an instance.
    #[error(
        "a scenario of the async world has all users of a load thread in one instance: leave its \
         `sharing` at one instance a user, which has no meaning there"
    )]
    DenseSharing,
    /// The client refused its settings.
    #[error("set up the HTTP client")]
    Client(#[from] ConfigError),
}

/// What all users of one test on one node have in common.
#[derive(Debug)]
pub struct Test {
    pub(crate) module: Module,
    pub(crate) environment: Arc<Environment>,
}

impl Test {
    /// Checks that `scenario` can run with `settings`, and prepares what its users share.
    /// `start_ms` is when the test began by the master's clock; `client` says what is the node's
    /// own about its connections, and `worker_index` which of the test's workers it is.
    ///
    /// # Errors
    /// When the plan is not sound, the tags leave no task, or a host is missing or not allowed, by
    /// the test or by the node.
    pub fn new(
        module: Module,
        scenario: &Scenario,
        settings: Settings,
        clock: Arc<Clock>,
        start_ms: u64,
        client: ClientConfig,
        worker_index: u32,
    ) -> Result<Self, TestError> {
        let scenario = check(scenario, &settings)?;
        check_connections(&module, &settings)?;
        if module.is_dense() && scenario.sharing != Sharing::PerUser {
            return Err(TestError::DenseSharing);
        }
        if let Some(obstacle) = module.backend().obstacle() {
            tracing::info!(
                "the users run by the component layer, at a higher cost, because {obstacle}"
            );
        }
        let (hosts, allow) = hosts(&scenario, &settings)?;
        if let Some(only) = &client.allow_only
            && let Some((class, host)) =
                scenario.classes.iter().zip(&hosts).find(|(_, host)| !only.permits(host))
        {
            let (class, host) = (class.name.clone(), host.host_and_port());
            return Err(TestError::NotFromHere { class, host });
        }
        let config = ClientConfig {
            request_timeout: Duration::from_millis(settings.request_timeout_ms),
            insecure: settings.insecure,
            resend_within: client.resend_within.filter(|_| !settings.no_resend),
            address_order: match settings.address_order {
                AddressOrder::RoundRobin => swarm_client::AddressOrder::RoundRobin,
                AddressOrder::First => swarm_client::AddressOrder::First,
                AddressOrder::Random => swarm_client::AddressOrder::Random,
            },
            notes_addresses: settings.stats_by_address,
            seed: choice::worker_seed(settings.seed, worker_index),
            ..client_of(settings.connections, client)
        };
        let client = Shared::new(config, allow)?;
        let class =
            |(class, base)| ClassPlan::new(class).map(|plan| Class { plan: Arc::new(plan), base });
        let classes = scenario.classes.iter().zip(hosts).map(class).collect::<Result<_, _>>()?;
        let args_read = settings.args.iter().map(|_| AtomicBool::new(false)).collect();
        let environment = Environment {
            sharing: scenario.sharing,
            classes,
            client,
            settings,
            clock,
            start_ms,
            reads_bodies: module.reads_bodies(),
            log_gate: LogGate::default(),
            args_read,
        };
        Ok(Self { module, environment: Arc::new(environment) })
    }

    /// Do the users of a load thread live in one instance, see [`crate::users::multiplexed`]?
    pub fn is_dense(&self) -> bool {
        self.module.is_dense()
    }
}

/// Checks a scenario against the settings of a test without preparing anything: what
/// [`Test::new`] would refuse is refused here.
///
/// # Errors
/// As [`Test::new`].
pub fn check(scenario: &Scenario, settings: &Settings) -> Result<Scenario, TestError> {
    validate::validate(scenario)?;
    let selected = validate::select(scenario, &settings.tags, &settings.exclude_tags)?;
    hosts(&selected, settings)?;
    Ok(selected)
}

/// Can users of this module have such connections?
///
/// # Errors
/// [`TestError::SharedConnections`].
pub fn check_connections(module: &Module, settings: &Settings) -> Result<(), TestError> {
    if settings.connections != Connections::PerUser && !module.is_dense() {
        return Err(TestError::SharedConnections);
    }
    Ok(())
}

/// A session is one user's, or that of all users of a load thread. Who shares it has no cookies:
/// they would be everybody's.
fn client_of(connections: Connections, client: ClientConfig) -> ClientConfig {
    match connections {
        Connections::PerUser => client,
        Connections::Shared(connections) => ClientConfig {
            connections_per_host_max: connections as usize,
            cookies: false,
            ..client
        },
    }
}

/// The base URL of each class, and all hosts that the users may reach.
fn hosts(scenario: &Scenario, settings: &Settings) -> Result<(Vec<BaseUrl>, AllowList), TestError> {
    let parse = |host: &str, of: String| {
        host.parse::<BaseUrl>().map_err(|source| TestError::Host { of, source })
    };
    let given = settings.host.as_deref();
    let given = given.map(|host| parse(host, "of the test".to_owned())).transpose()?;
    let mut allow = AllowList::default();
    for entry in &settings.allow_hosts {
        allow.entry(entry)?;
    }
    if let Some(base) = &given {
        allow.target(base);
    }
    let base = |class: &UserClass| match (&class.host, &given) {
        (_, Some(base)) if scenario.default_hosts => Ok(base.clone()),
        (Some(host), _) => {
            let base = parse(host, format!("of class {:?}", class.name))?;
            if allow.permits(&base) {
                return Ok(base);
            }
            let (class, host) = (class.name.clone(), base.host_and_port());
            Err(TestError::ClassHost { class, host })
        }
        (None, Some(base)) => Ok(base.clone()),
        (None, None) => Err(TestError::NoHost { class: class.name.clone() }),
    };
    let hosts = scenario.classes.iter().map(base).collect::<Result<_, _>>()?;
    Ok((hosts, allow))
}
