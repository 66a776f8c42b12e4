//! Registration: who the worker is, and the master's answer.

use swarm_core::limits::{
    SETTINGS_BYTES_MAX, SETTINGS_LIST_MAX, WORKER_ID_BYTES_MAX, check_worker_id,
};
use swarm_core::message::{PROTOCOL_OLDEST, PROTOCOL_VERSION, Refusal, WEIGHT_MAX, WorkerInfo};

use super::field::{
    Result, at_most, holds, list_len, read_bytes, read_digest, read_text, sound, text,
};
use super::order::{read_pairs, write_pairs};
use crate::auth::{Join, NONCE_BYTES, Nonce, Secret};
use crate::error::FieldError;
use crate::generated::swarm_capnp::{accepted, registration, session, worker_info};
use crate::limits::{
    CLOCK_MS_MAX, CORES_MAX, MODULE_BYTES_MAX, PROOF_BYTES_MAX, REASON_BYTES_MAX, VERSION_BYTES_MAX,
};
use crate::{Accepted, ModuleInfo};

pub(crate) fn write_worker(info: &WorkerInfo, mut to: worker_info::Builder<'_>) -> Result<()> {
    check_worker(info)?;
    to.set_protocol(info.protocol);
    // The range is this build's; whoever says another number speaks that one.
    let ours = info.protocol == PROTOCOL_VERSION;
    to.set_protocol_oldest(if ours { PROTOCOL_OLDEST } else { info.protocol });
    to.set_id(text("id", &info.id, WORKER_ID_BYTES_MAX)?);
    to.set_stream(info.stream);
    to.set_version(text("version", &info.version, VERSION_BYTES_MAX)?);
    to.set_cores(info.cores);
    match info.users_max {
        None => to.reborrow().init_users_max().set_unlimited(()),
        Some(limit) => to.reborrow().init_users_max().set_limit(limit),
    }
    to.set_weight(info.weight);
    to.set_attempt(info.attempt);
    Ok(())
}

pub(crate) fn read_worker(from: worker_info::Reader<'_>) -> Result<WorkerInfo> {
    let users_max = match sound("usersMax", from.get_users_max().which())? {
        worker_info::users_max::Unlimited(()) => None,
        worker_info::users_max::Limit(limit) => Some(limit),
    };
    let info = WorkerInfo {
        id: read_text("id", from.get_id(), WORKER_ID_BYTES_MAX)?,
        stream: from.get_stream(),
        version: read_text("version", from.get_version(), VERSION_BYTES_MAX)?,
        protocol: from.get_protocol(),
        cores: from.get_cores(),
        users_max,
        weight: from.get_weight(),
        attempt: from.get_attempt(),
    };
    check_worker(&info)?;
    Ok(info)
}

fn check_worker(info: &WorkerInfo) -> Result<()> {
    check_worker_id(&info.id)
        .map_err(|error| FieldError::new("id", format!("cannot be used: {error}")))?;
    holds("cores", info.cores > 0, "is 0, must be at least 1")?;
    at_most("cores", u64::from(info.cores), u64::from(CORES_MAX), "cores")?;
    holds("weight", info.weight > 0, "is 0, must be at least 1")?;
    at_most("weight", u64::from(info.weight), u64::from(WEIGHT_MAX), "of weight")
}

/// Adds what proves that the worker knows the token.
pub(crate) fn write_proof(
    info: &WorkerInfo,
    secret: &Secret,
    master_nonce: &[u8],
    mut to: worker_info::Builder<'_>,
) {
    let join = join(info, secret, master_nonce);
    to.set_nonce(&secret.nonce);
    to.set_proof(join.worker_proof(&secret.token).as_ref());
}

/// The join that a worker's and a master's proof are about.
pub(crate) fn join<'a>(
    info: &'a WorkerInfo,
    secret: &'a Secret,
    master_nonce: &'a [u8],
) -> Join<'a> {
    Join { master_nonce, worker_nonce: &secret.nonce, stream: info.stream, id: &info.id }
}

/// A worker's proof as it came, with all that it must cover.
pub(crate) struct Proof<'a> {
    pub(crate) proof: &'a [u8],
    nonce: &'a [u8],
    stream: u64,
    id: String,
}

impl Proof<'_> {
    /// Without a nonce of the master's nothing is proved.
    pub(crate) fn join<'a>(&'a self, master_nonce: Option<&'a Nonce>) -> Join<'a> {
        let master_nonce = master_nonce.map_or(&[][..], |nonce| nonce);
        Join { master_nonce, worker_nonce: self.nonce, stream: self.stream, id: &self.id }
    }
}

pub(crate) fn read_proof(from: worker_info::Reader<'_>) -> Result<Proof<'_>> {
    Ok(Proof {
        proof: read_bytes("proof", from.get_proof(), PROOF_BYTES_MAX)?,
        nonce: read_bytes("nonce", from.get_nonce(), NONCE_BYTES)?,
        stream: from.get_stream(),
        id: read_text("id", from.get_id(), WORKER_ID_BYTES_MAX)?,
    })
}

/// What a registration came to, as the worker reads it.
pub(crate) enum Registration {
    Refused(Refusal),
    /// With the master's proof, empty without a token.
    Accepted(session::Client, Accepted, Vec<u8>),
}

/// A master's answer to a worker that it takes.
pub(crate) struct Reply<'a> {
    pub(crate) accepted: &'a Accepted,
    pub(crate) protocol: u32,
    pub(crate) proof: Option<&'a ring::hmac::Tag>,
}

pub(crate) fn write_refused(refusal: &Refusal, mut to: registration::Builder<'_>) {
    to.set_refused(shortened(&refusal.reason, REASON_BYTES_MAX));
    to.set_temporary(refusal.temporary);
}

/// Cuts a text for people at a limit: a reason must arrive even when it is too long.
pub(crate) fn shortened(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

pub(crate) fn write_accepted(
    reply: &Reply<'_>,
    session: session::Client,
    to: registration::Builder<'_>,
) -> Result<()> {
    let accepted = reply.accepted;
    check_accepted(accepted)?;
    let version = text("version", &accepted.version, VERSION_BYTES_MAX)?;
    let mut to = to.init_accepted();
    to.set_session(session);
    to.set_master_time_ms(accepted.master_time_ms);
    to.set_worker_index(accepted.worker_index);
    to.set_version(version);
    to.set_protocol(reply.protocol);
    if let Some(proof) = reply.proof {
        to.set_proof(proof.as_ref());
    }
    match &accepted.module {
        None => to.reborrow().init_module().set_none(()),
        Some(module) => {
            let mut to = to.reborrow().init_module().init_some();
            to.set_digest(&module.digest);
            to.set_size(module.size);
        }
    }
    write_pairs("environment", &accepted.environment, |len| to.init_environment(len))
}

pub(crate) fn read_registration(from: registration::Reader<'_>) -> Result<Registration> {
    match sound("registration", from.which())? {
        registration::Refused(reason) => {
            let reason = read_text("refused", reason, REASON_BYTES_MAX)?;
            Ok(Registration::Refused(Refusal { reason, temporary: from.get_temporary() }))
        }
        registration::Accepted(from) => {
            let from = sound("accepted", from)?;
            let session = sound("accepted.session", from.get_session())?;
            let accepted = read_accepted(from).map_err(|error| error.within("accepted"))?;
            let proof = read_bytes("accepted.proof", from.get_proof(), PROOF_BYTES_MAX)?;
            Ok(Registration::Accepted(session, accepted, proof.to_vec()))
        }
    }
}

fn read_accepted(from: accepted::Reader<'_>) -> Result<Accepted> {
    let module = match sound("module", from.get_module().which())? {
        accepted::module::None(()) => None,
        accepted::module::Some(module) => {
            let module = sound("module", module)?;
            let digest = read_digest("module.digest", module.get_digest())?;
            Some(ModuleInfo { digest, size: module.get_size() })
        }
    };
    let accepted = Accepted {
        master_time_ms: from.get_master_time_ms(),
        worker_index: from.get_worker_index(),
        version: read_text("version", from.get_version(), VERSION_BYTES_MAX)?,
        module,
        environment: read_pairs("environment", sound("environment", from.get_environment())?)?,
    };
    check_accepted(&accepted)?;
    Ok(accepted)
}

fn check_accepted(accepted: &Accepted) -> std::result::Result<(), FieldError> {
    at_most("masterTimeMs", accepted.master_time_ms, CLOCK_MS_MAX, "ms")?;
    match &accepted.module {
        Some(module) => at_most("module.size", module.size, MODULE_BYTES_MAX, "bytes"),
        None => Ok(()),
    }?;
    list_len("environment", accepted.environment.len(), SETTINGS_LIST_MAX)?;
    let texts = accepted.environment.iter().map(|(name, value)| name.len() + value.len());
    let (bytes, bytes_max) = (texts.sum::<usize>() as u64, SETTINGS_BYTES_MAX as u64);
    at_most("environment", bytes, bytes_max, "bytes")
}
