//! What all sessions of a process have in common.

use std::sync::Arc;
use std::time::Instant;

use crate::allow::AllowList;
use crate::config::{ClientConfig, ConfigError};
use crate::headers::Template;
use crate::ports::Ports;
use crate::sources::Sources;
use crate::{dns, h1, tls};

/// Configuration, allow list, trust and DNS cache of all sessions. One per process or per shard.
#[derive(Debug)]
pub struct Shared {
    pub(crate) config: ClientConfig,
    pub(crate) allowed: AllowList,
    /// Header lines of sessions without headers of their own.
    pub(crate) template: Template,
    pub(crate) sources: Sources,
    pub(crate) ports: Ports,
    pub(crate) h1: h1::Options,
    pub(crate) dns: dns::Cache,
    pub(crate) tls: tls::Tls,
    began: Instant,
}

impl Shared {
    /// Checks the configuration and the source addresses, and reads the CA file, if there is one.
    ///
    /// # Errors
    /// If a value is outside its range, a source address is not one of this machine, or the CA
    /// file is unusable.
    pub fn new(config: ClientConfig, allowed: AllowList) -> Result<Arc<Self>, ConfigError> {
        config.check()?;
        let allowed = config.allow_only.clone().unwrap_or(allowed);
        Ok(Arc::new(Self {
            template: Template::automatic(&config.user_agent),
            sources: Sources::new(&config.source_addresses)?,
            ports: Ports::of_the_kernel(),
            h1: h1::Options::new(&config),
            dns: dns::Cache::default(),
            tls: tls::Tls::new(&config)?,
            began: Instant::now(),
            config,
            allowed,
        }))
    }

    /// A moment in milliseconds since this was made, which wrap after seven weeks.
    #[expect(clippy::cast_possible_truncation, reason = "it is meant to wrap")]
    pub(crate) fn wrapping_ms(&self, at: Instant) -> u32 {
        at.saturating_duration_since(self.began).as_millis() as u32
    }

    /// What the sessions were configured with.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }
}
