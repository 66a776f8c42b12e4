//! In which order a connection tries the addresses of a name, and what connections before it have
//! learned of them.

use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::config::AddressOrder;
use crate::dns::Preferred;

/// How long an address that failed is only tried after all others. Then one connection tries it
/// beside its own, so that no user waits for it.
pub(crate) const DEAD_TIME: Duration = Duration::from_secs(5);

/// Most addresses of a name that are remembered, with all ports and all that it had before.
const KNOWN_MAX: usize = 64;

/// What is known of a name's addresses.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// Connections so far.
    turns: u64,
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    address: SocketAddr,
    /// When it last took a connection.
    answered: Option<Instant>,
    /// It has failed since; until then it is left alone.
    dead_until: Option<Instant>,
}

/// What one connection does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Which addresses to try, one after the other.
    pub(crate) order: Vec<SocketAddr>,
    /// Which one to try beside, to learn whether it is back.
    pub(crate) probe: Option<SocketAddr>,
}

impl Addresses {
    /// Plans the next connection. `seed` makes processes differ that begin at the same time.
    pub(crate) fn plan(
        &mut self,
        preferred: &Preferred,
        port: u16,
        order: AddressOrder,
        seed: u64,
        now: Instant,
    ) -> Plan {
        let all = preferred.addresses.iter().map(|address| SocketAddr::new(*address, port));
        let all: Vec<SocketAddr> = all.collect();
        let (equal, others) = all.split_at(preferred.equal.min(all.len()));
        let [mut first, mut second] = [equal, others].map(|part| self.living(part));
        if first.is_empty() {
            std::mem::swap(&mut first, &mut second);
        }
        let mut dead: Vec<SocketAddr> =
            all.iter().copied().filter(|address| self.dead_until(*address).is_some()).collect();
        // Who failed last comes last.
        dead.sort_by_key(|address| self.dead_until(*address));
        let probe = match first.is_empty() {
            // With nobody alive there is nothing to lose, and nobody to prefer.
            true => {
                first = equal.to_vec();
                dead.retain(|address| !first.contains(address));
                None
            }
            false => self.probe(&dead, now),
        };
        let turn = seed.wrapping_add(self.turns);
        self.turns = self.turns.wrapping_add(1);
        rotate(&mut first, order, turn);
        first.extend(second);
        let mut order = interleave(first);
        order.extend(dead);
        Plan { order, probe }
    }

    /// It has taken a connection.
    pub(crate) fn answered(&mut self, address: SocketAddr, now: Instant) {
        let known = self.known(address);
        (known.answered, known.dead_until) = (Some(now), None);
    }

    /// A connection that was begun at `begun` has failed, or had no answer when another address
    /// had one. If somebody else has got through since, that was bad luck.
    pub(crate) fn failed(&mut self, address: SocketAddr, begun: Instant, now: Instant) {
        let known = self.known(address);
        if known.answered.is_none_or(|answered| answered < begun) {
            known.dead_until = Some(now + DEAD_TIME);
        }
    }

    fn living(&self, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let living = addresses.iter().copied();
        living.filter(|address| self.dead_until(*address).is_none()).collect()
    }

    fn dead_until(&self, address: SocketAddr) -> Option<Instant> {
        self.known.iter().find(|known| known.address == address)?.dead_until
    }

    /// A dead address whose time has come. The next one to ask waits for as long again.
    fn probe(&mut self, dead: &[SocketAddr], now: Instant) -> Option<SocketAddr> {
        let due = self.known.iter_mut().find(|known| {
            known.dead_until.is_some_and(|until| until <= now) && dead.contains(&known.address)
        })?;
        due.dead_until = Some(now + DEAD_TIME);
        Some(due.address)
    }

    fn known(&mut self, address: SocketAddr) -> &mut Known {
        let at = self.known.iter().position(|known| known.address == address);
        let at = at.unwrap_or_else(|| {
            if self.known.len() >= KNOWN_MAX {
                // Dead ones are most worth remembering.
                self.known.sort_by_key(|known| Reverse((known.dead_until, known.answered)));
                self.known.truncate(KNOWN_MAX - 1);
            }
            self.known.push(Known { address, answered: None, dead_until: None });
            self.known.len() - 1
        });
        &mut self.known[at]
    }
}

/// Puts the address first whose turn it is.
fn rotate(addresses: &mut [SocketAddr], order: AddressOrder, turn: u64) {
    let Some(count) = u64::try_from(addresses.len()).ok().filter(|count| *count > 0) else {
        return;
    };
    let first = match order {
        AddressOrder::First => return,
        AddressOrder::RoundRobin => turn % count,
        AddressOrder::Random => fastrand::Rng::with_seed(turn).u64(..count),
    };
    // Name servers rotate their answers, too: both together could skip some.
    addresses.sort_unstable();
    addresses.rotate_left(usize::try_from(first).unwrap_or(0));
}

/// After each address one of the other family, where there is one (RFC 8305, section 4): if one
/// family does not work at all, the other has its turn soon.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(leader) = addresses.first().map(SocketAddr::is_ipv4) else { return addresses };
    let count = addresses.len();
    let (own, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv4() == leader);
    let (mut own, mut other) = (own.into_iter(), other.into_iter());
    let mut mixed = Vec::with_capacity(count);
    while mixed.len() < count {
        mixed.extend(own.next());
        mixed.extend(other.next());
    }
    mixed
}

/// Which of a name's addresses can be connected to from these families of source addresses.
pub(crate) fn of_families(preferred: &Preferred, fits: impl Fn(IpAddr) -> bool) -> Preferred {
    let equal = preferred.addresses.iter().take(preferred.equal).filter(|ip| fits(**ip)).count();
    let addresses: Box<[IpAddr]> =
        preferred.addresses.iter().copied().filter(|ip| fits(*ip)).collect();
    let equal = if equal > 0 { equal } else { addresses.len() };
    Preferred { addresses, equal }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const PORT: u16 = 80;
    const RULES: [AddressOrder; 3] =
        [AddressOrder::First, AddressOrder::RoundRobin, AddressOrder::Random];

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn at(text: &str) -> SocketAddr {
        SocketAddr::new(ip(text), PORT)
    }

    fn name(addresses: &[&str]) -> Preferred {
        let equal = addresses.len();
        Preferred { addresses: addresses.iter().map(|text| ip(text)).collect(), equal }
    }

    fn four() -> Preferred {
        name(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"])
    }

    /// How many of `count` connections begin where.
    fn begins(
        addresses: &mut Addresses,
        preferred: &Preferred,
        rule: AddressOrder,
        count: usize,
    ) -> HashMap<SocketAddr, usize> {
        let now = Instant::now();
        let mut begins = HashMap::new();
        for _ in 0..count {
            let plan = addresses.plan(preferred, PORT, rule, 7, now);
            *begins.entry(plan.order[0]).or_default() += 1;
        }
        begins
    }

    #[test]
    fn four_addresses_have_a_quarter_each() {
        let counts = begins(&mut Addresses::default(), &four(), AddressOrder::RoundRobin, 10_000);
        assert!(counts.len() == 4 && counts.values().all(|count| *count == 2_500), "{counts:?}");
        let counts = begins(&mut Addresses::default(), &four(), AddressOrder::Random, 10_000);
        assert_eq!(counts.len(), 4);
        assert!(counts.values().all(|count| (2_300..=2_700).contains(count)), "{counts:?}");
        let counts = begins(&mut Addresses::default(), &four(), AddressOrder::First, 10_000);
        assert_eq!(counts, HashMap::from([(at("10.0.0.1"), 10_000)]));
    }

    #[test]
    fn many_processes_with_one_connection_each_are_spread_too() {
        for rule in [AddressOrder::RoundRobin, AddressOrder::Random] {
            let mut counts = HashMap::<SocketAddr, usize>::new();
            let mut seeds = fastrand::Rng::with_seed(1);
            for _ in 0..10_000 {
                let seed = seeds.u64(..);
                let plan = Addresses::default().plan(&four(), PORT, rule, seed, Instant::now());
                *counts.entry(plan.order[0]).or_default() += 1;
            }
            assert!(counts.values().all(|count| (2_300..=2_700).contains(count)), "{counts:?}");
        }
    }

    #[test]
    fn answers_that_rotate_do_not_skip_anybody() {
        let mut addresses = Addresses::default();
        let mut counts = HashMap::<SocketAddr, usize>::new();
        let mut list = four();
        for _ in 0..400 {
            let now = Instant::now();
            let plan = addresses.plan(&list, PORT, AddressOrder::RoundRobin, 0, now);
            *counts.entry(plan.order[0]).or_default() += 1;
            list.addresses.rotate_left(1);
        }
        assert!(counts.values().all(|count| *count == 100), "{counts:?}");
    }

    #[test]
    fn families_alternate_after_the_first() {
        let mixed = name(&["2001:db8::1", "2001:db8::2", "10.0.0.1", "10.0.0.2"]);
        let mut addresses = Addresses::default();
        let now = Instant::now();
        let plan = addresses.plan(&mixed, PORT, AddressOrder::First, 0, now);
        let expected = ["2001:db8::1", "10.0.0.1", "2001:db8::2", "10.0.0.2"].map(at);
        assert_eq!(plan.order, expected);
        let counts = begins(&mut addresses, &mixed, AddressOrder::RoundRobin, 400);
        assert!(counts.len() == 4 && counts.values().all(|count| *count == 100), "{counts:?}");
    }

    #[test]
    fn what_is_not_as_good_only_stands_in() {
        let mut some = four();
        some.equal = 2;
        let mut addresses = Addresses::default();
        let counts = begins(&mut addresses, &some, AddressOrder::RoundRobin, 100);
        assert_eq!(counts, HashMap::from([(at("10.0.0.1"), 50), (at("10.0.0.2"), 50)]));
        let now = Instant::now();
        addresses.failed(at("10.0.0.1"), now, now);
        addresses.failed(at("10.0.0.2"), now, now);
        let counts = begins(&mut addresses, &some, AddressOrder::RoundRobin, 100);
        assert_eq!(counts, HashMap::from([(at("10.0.0.3"), 50), (at("10.0.0.4"), 50)]));
    }

    #[test]
    fn the_dead_come_last_and_the_others_share() {
        let mut addresses = Addresses::default();
        let now = Instant::now();
        addresses.failed(at("10.0.0.2"), now, now);
        let counts = begins(&mut addresses, &four(), AddressOrder::RoundRobin, 300);
        assert!(counts.len() == 3 && counts.values().all(|count| *count == 100), "{counts:?}");
        let plan = addresses.plan(&four(), PORT, AddressOrder::First, 0, now);
        assert_eq!(plan.order, ["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.2"].map(at));
        // It is that port of the address which is dead.
        let other_port = addresses.plan(&four(), 81, AddressOrder::First, 0, now);
        assert_eq!(other_port.order[1].ip(), ip("10.0.0.2"));
    }

    #[test]
    fn a_dead_address_is_asked_beside_until_it_answers() {
        let mut addresses = Addresses::default();
        let start = Instant::now();
        let dead = at("10.0.0.2");
        addresses.failed(dead, start, start);
        let mut probe = |now| {
            let plan = addresses.plan(&four(), PORT, AddressOrder::RoundRobin, 0, now);
            assert_ne!(plan.order[0], dead);
            plan.probe
        };
        assert_eq!(probe(start + DEAD_TIME / 2), None);
        assert_eq!(probe(start + DEAD_TIME), Some(dead));
        assert_eq!(probe(start + DEAD_TIME), None, "one asks for all");
        assert_eq!(probe(start + 2 * DEAD_TIME), Some(dead));
        addresses.answered(dead, start + 2 * DEAD_TIME);
        let counts = begins(&mut addresses, &four(), AddressOrder::RoundRobin, 400);
        assert_eq!(counts.get(&dead), Some(&100));
    }

    #[test]
    fn one_lost_packet_among_many_connections_is_bad_luck() {
        let mut addresses = Addresses::default();
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let busy = at("10.0.0.1");
        addresses.answered(busy, ms(100));
        addresses.failed(busy, ms(50), ms(300));
        let counts = begins(&mut addresses, &four(), AddressOrder::RoundRobin, 400);
        assert_eq!(counts.get(&busy), Some(&100));
        addresses.failed(busy, ms(200), ms(450));
        let counts = begins(&mut addresses, &four(), AddressOrder::RoundRobin, 400);
        assert_eq!(counts.get(&busy), None);
    }

    #[test]
    fn when_all_are_dead_all_are_tried_as_ever() {
        let mut addresses = Addresses::default();
        let start = Instant::now();
        for address in four().addresses {
            addresses.failed(SocketAddr::new(address, PORT), start, start);
        }
        let counts = begins(&mut addresses, &four(), AddressOrder::RoundRobin, 400);
        assert!(counts.len() == 4 && counts.values().all(|count| *count == 100), "{counts:?}");
        let plan = addresses.plan(&four(), PORT, AddressOrder::First, 0, start + DEAD_TIME);
        assert_eq!((plan.order.len(), plan.probe), (4, None));
    }

    #[test]
    fn families_without_a_source_are_left_out() {
        let mixed = name(&["2001:db8::1", "10.0.0.1", "10.0.0.2"]);
        assert_eq!(of_families(&mixed, |ip| ip.is_ipv4()), name(&["10.0.0.1", "10.0.0.2"]));
        assert_eq!(of_families(&mixed, |_| false).addresses.len(), 0);
    }

    proptest! {
        /// Whatever has happened: each address is tried once, and the dead after the living.
        #[test]
        fn nobody_is_left_out_or_tried_twice(
            events in prop::collection::vec((0u8..6, any::<bool>(), 0u64..20_000), 0..40),
            equal in 1usize..=6,
            rule in prop::sample::select(RULES.to_vec()),
            seed in any::<u64>(),
        ) {
            let all = ["10.0.0.1", "2001:db8::1", "10.0.0.2", "10.0.0.3", "2001:db8::2", "::1"];
            let preferred = Preferred { equal, ..name(&all) };
            let mut addresses = Addresses::default();
            let start = Instant::now();
            for (which, answers, ms) in events {
                let address = at(all[usize::from(which)]);
                let now = start + Duration::from_millis(ms);
                match answers {
                    true => addresses.answered(address, now),
                    false => addresses.failed(address, now, now),
                }
                let plan = addresses.plan(&preferred, PORT, rule, seed, now);
                let mut sorted = plan.order.clone();
                sorted.sort_unstable();
                sorted.dedup();
                prop_assert_eq!(sorted.len(), all.len());
                let lives = |address: &SocketAddr| addresses.dead_until(*address).is_none();
                let living = plan.order.iter().filter(|address| lives(address)).count();
                if living > 0 {
                    prop_assert!(plan.order[..living].iter().all(lives));
                }
                prop_assert!(plan.probe.is_none_or(|probe| !lives(&probe)));
            }
        }

        #[test]
        fn what_is_remembered_is_limited(ports in prop::collection::vec(1u16..1000, 0..300)) {
            let mut addresses = Addresses::default();
            let now = Instant::now();
            for port in ports {
                addresses.failed(SocketAddr::new(ip("10.0.0.1"), port), now, now);
                prop_assert!(addresses.known.len() <= KNOWN_MAX);
            }
        }
    }
}
