//! Which protocol master and worker speak with each other.

use swarm_core::limits::WORKER_ID_BYTES_MAX;
use swarm_core::message::{PROTOCOL_OLDEST, PROTOCOL_VERSION};

use crate::codec::field::read_text;
use crate::generated::swarm_capnp::worker_info;
use crate::limits::VERSION_BYTES_MAX;

/// The newest protocol that the worker and this master speak. Comes before everything else: of
/// another protocol nothing is known but where the numbers are.
pub(crate) fn common(info: worker_info::Reader<'_>) -> Result<u32, String> {
    let newest = info.get_protocol();
    let oldest = match info.get_protocol_oldest() {
        0 => newest,
        oldest => oldest.min(newest),
    };
    if let Some(common) = newest_common((oldest, newest), (PROTOCOL_OLDEST, PROTOCOL_VERSION)) {
        return Ok(common);
    }
    // Both are only words for the operator.
    let id = read_text("id", info.get_id(), WORKER_ID_BYTES_MAX).unwrap_or_default();
    let version = read_text("version", info.get_version(), VERSION_BYTES_MAX).unwrap_or_default();
    Err(format!(
        "worker {id:?} (swarm {version:?}) speaks {}, this master (swarm {:?}) speaks {}: run the \
         same version on both",
        protocols(oldest, newest),
        env!("CARGO_PKG_VERSION"),
        protocols(PROTOCOL_OLDEST, PROTOCOL_VERSION),
    ))
}

/// Of two ranges, both ends included.
fn newest_common(theirs: (u32, u32), ours: (u32, u32)) -> Option<u32> {
    let newest = theirs.1.min(ours.1);
    (newest >= theirs.0.max(ours.0)).then_some(newest)
}

fn protocols(oldest: u32, newest: u32) -> String {
    if oldest == newest {
        format!("protocol {newest}")
    } else {
        format!("protocols {oldest} to {newest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_that_both_speak() {
        for (theirs, ours, common) in [
            ((1, 1), (1, 1), Some(1)),
            ((1, 3), (2, 5), Some(3)),
            ((4, 9), (2, 5), Some(5)),
            ((1, 1), (2, 5), None),
            ((6, 9), (2, 5), None),
        ] {
            assert_eq!(newest_common(theirs, ours), common, "{theirs:?} {ours:?}");
        }
        assert_eq!(protocols(1, 1), "protocol 1");
        assert_eq!(protocols(1, 3), "protocols 1 to 3");
    }
}
