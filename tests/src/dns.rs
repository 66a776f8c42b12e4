//! A name server that does what a test tells it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{RData, Record, RecordType};

/// What is answered to questions for a name.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These addresses, of the family that was asked for. Each answer begins with the next one.
    Addresses {
        /// In the order of the first answer.
        list: Vec<IpAddr>,
        /// For so many seconds.
        ttl: u32,
    },
    /// Nothing, ever.
    Silence,
}

/// A name server on port 53 of a test's own network, until the test ends. Names that it was not
/// told do not exist.
#[derive(Debug, Clone)]
pub struct Dns(Arc<Mutex<Zone>>);

#[derive(Debug, Default)]
struct Zone {
    answers: HashMap<String, Answer>,
    questions: HashMap<String, usize>,
}

impl Dns {
    /// Where it listens.
    pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);

    /// Starts it.
    ///
    /// # Panics
    ///
    /// The port is taken: the test is not within its [`Network`](crate::Network).
    #[track_caller]
    pub fn start() -> Self {
        let socket = UdpSocket::bind((Self::ADDRESS, 53)).expect("the test has port 53");
        let dns = Self(Arc::default());
        let zone = dns.clone();
        std::thread::spawn(move || zone.serve(&socket));
        dns
    }

    /// Answers so from now on.
    pub fn tell(&self, name: &str, answer: Answer) {
        self.zone().answers.insert(format!("{name}."), answer);
    }

    /// How often it was asked for a name: a lookup asks for each family once.
    pub fn questions(&self, name: &str) -> usize {
        self.zone().questions.get(&format!("{name}.")).copied().unwrap_or(0)
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, socket: &UdpSocket) {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            self.answer(socket, &buffer[..length], from);
        }
    }

    /// Answers, if there is something to say and to whom.
    fn answer(&self, socket: &UdpSocket, question: &[u8], from: SocketAddr) {
        let Ok(mut message) = Message::from_vec(question) else { return };
        let Some(query) = message.queries.first().cloned() else { return };
        let name = query.name().to_string();
        let mut zone = self.zone();
        let asked = zone.questions.entry(name.clone()).or_default();
        *asked += 1;
        let turn = *asked / 2;
        message.metadata.message_type = MessageType::Response;
        match zone.answers.get(&name) {
            None => message.metadata.response_code = ResponseCode::NXDomain,
            Some(Answer::Silence) => return,
            Some(Answer::Addresses { list, ttl }) => {
                let data = |address: &IpAddr| match (address, query.query_type()) {
                    (IpAddr::V4(address), RecordType::A) => Some(RData::A((*address).into())),
                    (IpAddr::V6(address), RecordType::AAAA) => Some(RData::AAAA((*address).into())),
                    _ => None,
                };
                let mut data: Vec<RData> = list.iter().filter_map(data).collect();
                let first = turn % data.len().max(1);
                data.rotate_left(first);
                let record = |data| Record::from_rdata(query.name().clone(), *ttl, data);
                message.add_answers(data.into_iter().map(record));
            }
        }
        drop(zone);
        if let Ok(bytes) = message.to_vec() {
            // Whoever asked may have gone.
            let _ = socket.send_to(&bytes, from);
        }
    }
}
