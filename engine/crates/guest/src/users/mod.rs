//! The life of a user: with an instance of its own or in turns ([`isolated`]), or with many in the
//! middle of a call in one instance ([`multiplexed`]).

pub mod isolated;
pub mod multiplexed;
mod shared_instance;
mod stop;
