//! The DNS servers of `/etc/resolv.conf`, asked as the C library asks them: the same servers in the
//! same order, the same search list. Different is what a load test gains from: the TTL is known,
//! a question that gets lost is repeated after a second and not after five, the next server is
//! asked beside the one before instead of after it, a server that was silent comes last from then
//! on ([`Silent`]), and all of it can be given up at any time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name;
use resolv_conf::{Config, ScopedIp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::lookup::{Found, Unresolved};
use super::message::{Family, Question, Reply};
use super::silent::Silent;
use crate::race;

/// From one datagram to its repetition.
const REPEAT: Duration = Duration::from_secs(1);

/// From asking one server to asking the next as well.
const SERVER_DELAY: Duration = Duration::from_secs(1);

/// How long one family's addresses wait for the other's (RFC 8305, section 3).
const FAMILY_DELAY: Duration = Duration::from_millis(50);

/// How long an answer is used that lacks a family.
const PARTIAL_TTL: Duration = Duration::from_secs(1);

/// Longest time that an answer is used.
const TTL_MAX: Duration = Duration::from_secs(24 * 3600);

/// Most servers and search domains that count. The C library takes three servers.
const SERVERS_MAX: usize = 3;
const SEARCH_MAX: usize = 32;

/// Most dots that a name may need before it is asked for as it is.
const NDOTS_MAX: usize = 15;

const DATAGRAM_BYTES_MAX: usize = 4096;

/// Whom to ask, and for which names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stub {
    servers: Vec<SocketAddr>,
    search: Vec<Name>,
    ndots: usize,
    rotate: bool,
    edns: bool,
    tcp_only: bool,
    v4_only: bool,
}

/// No server gave an answer that can be used.
#[derive(Debug)]
enum Trouble {
    Io(io::Error),
    Code(ResponseCode),
    Question(String),
}

impl Stub {
    /// Reads the text of `/etc/resolv.conf`; without the file this machine itself is asked.
    /// `None` if it says what only the C library can do: to ask by way of a certain interface.
    pub(super) fn new(config: Option<&str>, machine: &str, port: u16) -> Option<Self> {
        // What cannot be read of it is left out, as the C library does.
        let (config, _errors) = Config::parse_with_errors(config.unwrap_or_default().as_bytes());
        let mut servers = Vec::new();
        for server in config.nameservers.iter().take(SERVERS_MAX) {
            if matches!(server, ScopedIp::V6(_, Some(_))) {
                return None;
            }
            servers.push(SocketAddr::new(server.into(), port));
        }
        if servers.is_empty() {
            servers.push((Ipv4Addr::LOCALHOST, port).into());
        }
        let mut search: Vec<Name> = config
            .get_last_search_or_domain()
            .filter_map(|domain| Name::from_ascii(domain).ok())
            .take(SEARCH_MAX)
            .collect();
        let is_given = config.get_search().is_some() || config.get_domain().is_some();
        if let Some((_, domain)) = machine.split_once('.')
            && !is_given
        {
            search.extend(Name::from_ascii(domain).ok());
        }
        Some(Self {
            servers,
            search,
            ndots: usize::try_from(config.ndots).unwrap_or(NDOTS_MAX).min(NDOTS_MAX),
            rotate: config.rotate,
            edns: config.edns0,
            tcp_only: config.use_vc,
            v4_only: config.no_aaaa,
        })
    }

    /// Looks a name up. May wait for ever; the caller sets a limit.
    pub(super) async fn look_up(&self, name: &str, silent: &Silent) -> Result<Found, Unresolved> {
        let name =
            Name::from_ascii(name).map_err(|_error| Unresolved("it is not a DNS name".into()))?;
        let mut outcome = Unresolved("no such name".into());
        for candidate in self.candidates(name) {
            match self.both_families(candidate, silent).await {
                Ok(Some(found)) if found.addresses.is_empty() => {
                    outcome = Unresolved("it has no address".into());
                }
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                // One zone is broken, the others of the search list may not be.
                Err(trouble @ Trouble::Code(_)) => outcome = trouble.into(),
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Err(outcome)
    }

    /// The absolute names that a name may stand for, in the order in which to ask for them.
    fn candidates(&self, name: Name) -> Vec<Name> {
        if name.is_fqdn() {
            return vec![name];
        }
        let mut absolute = name.clone();
        absolute.set_fqdn(true);
        let searched = self.search.iter().filter_map(|domain| {
            let mut name = name.clone().append_domain(domain).ok()?;
            name.set_fqdn(true);
            Some(name)
        });
        let mut candidates: Vec<Name> = searched.filter(|name| *name != absolute).collect();
        let dots = usize::from(name.num_labels()).saturating_sub(1);
        let at = if dots >= self.ndots { 0 } else { candidates.len() };
        candidates.insert(at, absolute);
        candidates
    }

    /// The addresses of an absolute name, which may be none; `None` if there is no such name.
    async fn both_families(&self, name: Name, silent: &Silent) -> Result<Option<Found>, Trouble> {
        if self.v4_only {
            let none = Reply::Addresses { list: Vec::new(), ttl: u32::MAX };
            return merge(Some(self.ask(name, Family::V4, silent).await), Some(Ok(none)));
        }
        let six = pin!(self.ask(name.clone(), Family::V6, silent));
        let four = pin!(self.ask(name, Family::V4, silent));
        match select(six, four).await {
            Either::Left((six, four)) => {
                let four = after(&six, four).await;
                merge(four, Some(six))
            }
            Either::Right((four, six)) => {
                let six = after(&four, six).await;
                merge(Some(four), six)
            }
        }
    }

    /// Asks the servers for one family's addresses, until one of them gives an answer.
    async fn ask(&self, name: Name, family: Family, silent: &Silent) -> Result<Reply, Trouble> {
        let question = Question::new(name, family, self.edns).map_err(Trouble::Question)?;
        let first = if self.rotate { fastrand::usize(..self.servers.len()) } else { 0 };
        let order = silent.order(&self.servers, first);
        let asked =
            race::run(order.len(), SERVER_DELAY, |index| self.exchange(order[index], &question));
        let mut outcome = asked.await;
        match outcome.winner {
            Some((winner, reply)) => {
                let failed = |index| outcome.failures.iter().any(|(failed, _)| *failed == index);
                let waiting = (0..winner).filter(|index| !failed(*index));
                silent.answered(order[winner], waiting.map(|index| order[index]));
                Ok(reply)
            }
            // There is at least one server.
            None => Err(outcome.failures.remove(0).1),
        }
    }

    async fn exchange(&self, server: SocketAddr, question: &Question) -> Result<Reply, Trouble> {
        let mut reply = Reply::Truncated;
        if !self.tcp_only {
            reply = by_datagram(server, question).await.map_err(Trouble::Io)?;
        }
        if reply == Reply::Truncated {
            reply = by_stream(server, question).await.map_err(Trouble::Io)?;
        }
        match reply {
            Reply::Failed(code) => Err(Trouble::Code(code)),
            reply => Ok(reply),
        }
    }
}

/// Waits for the other family: for long only if the first one has brought nothing.
async fn after(
    first: &Result<Reply, Trouble>,
    other: impl Future<Output = Result<Reply, Trouble>>,
) -> Option<Result<Reply, Trouble>> {
    match first {
        Ok(Reply::Addresses { list, .. }) if !list.is_empty() => {
            timeout(FAMILY_DELAY, other).await.ok()
        }
        _ => Some(other.await),
    }
}

/// What both families' answers say together. `None`: there was no time to wait for it.
fn merge(
    four: Option<Result<Reply, Trouble>>,
    six: Option<Result<Reply, Trouble>>,
) -> Result<Option<Found>, Trouble> {
    let mut found = Found { addresses: Vec::new(), ttl: TTL_MAX };
    let (mut exists, mut trouble) = (false, None);
    for reply in [six, four] {
        match reply {
            Some(Ok(Reply::Addresses { list, ttl })) => {
                exists = true;
                if !list.is_empty() {
                    found.ttl = found.ttl.min(Duration::from_secs(ttl.into()));
                    found.addresses.extend(list);
                }
            }
            Some(Ok(Reply::NoName | Reply::Truncated | Reply::Failed(_))) => {}
            Some(Err(error)) => trouble = Some(error),
            None => found.ttl = found.ttl.min(PARTIAL_TTL),
        }
    }
    match trouble {
        Some(trouble) if found.addresses.is_empty() => Err(trouble),
        _ => Ok(exists.then_some(found)),
    }
}

/// From a port of its own, by which a forger would have to know it.
async fn by_datagram(server: SocketAddr, question: &Question) -> io::Result<Reply> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    // From now on the kernel drops what others send.
    socket.connect(server).await?;
    loop {
        socket.send(question.bytes()).await?;
        if let Ok(reply) = timeout(REPEAT, receive(&socket, question)).await {
            return reply;
        }
    }
}

async fn receive(socket: &UdpSocket, question: &Question) -> io::Result<Reply> {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(reply) = question.reply(&buffer[..length]) {
            return Ok(reply);
        }
    }
}

async fn by_stream(server: SocketAddr, question: &Question) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(server).await?;
    let question_length = u16::try_from(question.bytes().len()).map_err(io::Error::other)?;
    let mut message = question_length.to_be_bytes().to_vec();
    message.extend_from_slice(question.bytes());
    stream.write_all(&message).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    question.reply(&answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

impl From<Trouble> for Unresolved {
    fn from(trouble: Trouble) -> Self {
        Self(match trouble {
            Trouble::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                "nobody listens at the DNS server of /etc/resolv.conf".into()
            }
            Trouble::Io(error) => {
                format!("the DNS server of /etc/resolv.conf cannot be asked: {error}").into()
            }
            Trouble::Code(ResponseCode::ServFail) => {
                "the DNS server failed to find out (SERVFAIL)".into()
            }
            Trouble::Code(ResponseCode::Refused) => {
                "the DNS server refused to answer (REFUSED)".into()
            }
            Trouble::Code(code) => format!("the DNS server answered: {code}").into(),
            Trouble::Question(reason) => format!("it cannot be asked for: {reason}").into(),
        })
    }
}

#[cfg(test)]
mod tests;
