//! The faults, and what is wanted of each.

use std::time::Duration;

/// Something that goes wrong, or is done on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Kill,
    Leave,
    Freeze,
    Cable10,
    Cable90,
    Cables,
    ToMaster,
    FromMaster,
    Slow,
    Restart,
    Random,
}

/// Back at target after a kill, at most.
const KILL_BACK_MAX: Duration = Duration::from_secs(5);
/// Back at target after a host has fallen silent, at most.
const SILENCE_BACK_MAX: Duration = Duration::from_secs(8);

impl Fault {
    pub(crate) const ALL: [Self; 11] = [
        Self::Kill,
        Self::Leave,
        Self::Freeze,
        Self::Cable10,
        Self::Cable90,
        Self::Cables,
        Self::ToMaster,
        Self::FromMaster,
        Self::Slow,
        Self::Restart,
        Self::Random,
    ];

    /// As typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Leave => "leave",
            Self::Freeze => "freeze",
            Self::Cable10 => "cable-10",
            Self::Cable90 => "cable-90",
            Self::Cables => "cables",
            Self::ToMaster => "to-master",
            Self::FromMaster => "from-master",
            Self::Slow => "slow",
            Self::Restart => "restart",
            Self::Random => "random",
        }
    }

    /// How long it lasts; zero for what happens at once.
    pub(crate) fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Kill | Self::Leave | Self::Random => 0,
            Self::Restart => 3,
            Self::Cable10 | Self::Cables => 10,
            Self::Freeze | Self::ToMaster | Self::FromMaster => 20,
            Self::Slow => 30,
            Self::Cable90 => 90,
        })
    }

    /// Back at target since its beginning, at most; since its end as well.
    pub(crate) fn back_max(self) -> Duration {
        match self {
            Self::Kill | Self::Leave | Self::Restart => KILL_BACK_MAX,
            _ => SILENCE_BACK_MAX,
        }
    }

    /// Is a worker gone for good?
    pub(crate) fn takes_a_worker(self) -> bool {
        matches!(self, Self::Kill | Self::Leave)
    }

    /// Is a part of what a worker has measured lost with it? It has to be told then.
    pub(crate) fn loses_samples(self) -> bool {
        self == Self::Kill
    }
}
