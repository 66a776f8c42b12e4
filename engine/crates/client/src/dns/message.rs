//! DNS messages: questions for the addresses of a name, and what answers say.

use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

/// Longest chain of aliases (CNAME) that is followed within an answer.
const ALIASES_MAX: usize = 16;

/// Largest datagram that servers may send if they are told of it (RFC 9715).
const DATAGRAM_BYTES: u16 = 1232;

/// Which addresses are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// A question, as it is sent.
#[derive(Debug)]
pub(super) struct Question {
    id: u16,
    query: Query,
    bytes: Vec<u8>,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// The name has these, which may be none.
    Addresses {
        /// In the server's order.
        list: Vec<IpAddr>,
        /// For so many seconds.
        ttl: u32,
    },
    /// There is no such name.
    NoName,
    /// The answer did not fit: ask again by TCP.
    Truncated,
    /// The server cannot or does not want to answer.
    Failed(ResponseCode),
}

impl Question {
    /// Asks for the addresses of `name`, which is absolute. `edns`: says that large datagrams are
    /// fine.
    pub(super) fn new(name: Name, family: Family, edns: bool) -> Result<Self, String> {
        let kind = match family {
            Family::V4 => RecordType::A,
            Family::V6 => RecordType::AAAA,
        };
        let query = Query::query(name, kind);
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.add_query(query.clone());
        if edns {
            let mut edns = Edns::new();
            edns.set_max_payload(DATAGRAM_BYTES);
            message.set_edns(edns);
        }
        let bytes = message.to_vec().map_err(|error| error.to_string())?;
        Ok(Self { id: message.metadata.id, query, bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads a message; `None` if it is not an answer to this question, but somebody else's, or a
    /// forgery.
    pub(super) fn reply(&self, message: &[u8]) -> Option<Reply> {
        let message = Message::from_vec(message).ok()?;
        let head = &message.metadata;
        let is_answer = head.id == self.id && head.message_type == MessageType::Response;
        if !is_answer || message.queries.as_slice() != std::slice::from_ref(&self.query) {
            return None;
        }
        Some(match head.response_code {
            ResponseCode::NoError if head.truncation => Reply::Truncated,
            ResponseCode::NoError => self.addresses(&message),
            ResponseCode::NXDomain => Reply::NoName,
            other => Reply::Failed(other),
        })
    }

    /// The addresses at the end of the aliases.
    fn addresses(&self, message: &Message) -> Reply {
        let mut name = self.query.name();
        let mut ttl = u32::MAX;
        for _ in 0..ALIASES_MAX {
            let mut list = Vec::new();
            let mut alias = None;
            for record in message.answers.iter().filter(|record| record.name == *name) {
                let address = match &record.data {
                    RData::A(address) => IpAddr::V4(address.0),
                    RData::AAAA(address) => IpAddr::V6(address.0),
                    RData::CNAME(target) => {
                        alias = Some(&target.0);
                        ttl = ttl.min(record.ttl);
                        continue;
                    }
                    _ => continue,
                };
                if record.record_type() == self.query.query_type() {
                    ttl = ttl.min(record.ttl);
                    list.push(address);
                }
            }
            match alias {
                Some(target) if list.is_empty() => name = target,
                _ => return Reply::Addresses { list, ttl },
            }
        }
        Reply::Addresses { list: Vec::new(), ttl }
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::OpCode;
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{A, AAAA, CNAME};
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).expect("a name")
    }

    fn question() -> Question {
        Question::new(name("shop.test."), Family::V4, false).expect("a question")
    }

    fn answer(to: &Question, records: Vec<Record>) -> Message {
        let mut message = Message::response(to.id, OpCode::Query);
        message.add_query(to.query.clone());
        message.add_answers(records);
        message
    }

    fn read(to: &Question, message: &Message) -> Option<Reply> {
        to.reply(&message.to_vec().expect("encoded"))
    }

    fn a(owner: &str, ttl: u32, last: u8) -> Record {
        Record::from_rdata(name(owner), ttl, RData::A(A::new(10, 0, 0, last)))
    }

    fn alias(owner: &str, ttl: u32, target: &str) -> Record {
        Record::from_rdata(name(owner), ttl, RData::CNAME(CNAME(name(target))))
    }

    fn addresses(ttl: u32, last: &[u8]) -> Option<Reply> {
        let list = last.iter().map(|last| IpAddr::from([10, 0, 0, *last])).collect();
        Some(Reply::Addresses { list, ttl })
    }

    #[test]
    fn all_addresses_count_and_the_shortest_time() {
        let question = question();
        let records = vec![a("shop.test.", 60, 1), a("SHOP.test.", 5, 2), a("other.test.", 1, 3)];
        assert_eq!(read(&question, &answer(&question, records)), addresses(5, &[1, 2]));
        assert_eq!(read(&question, &answer(&question, vec![])), addresses(u32::MAX, &[]));
    }

    #[test]
    fn aliases_are_followed_and_their_time_counts() {
        let question = question();
        let records = vec![
            a("b.test.", 60, 1),
            alias("shop.test.", 30, "a.test."),
            alias("a.test.", 7, "b.test."),
        ];
        assert_eq!(read(&question, &answer(&question, records)), addresses(7, &[1]));
        let circle = vec![alias("shop.test.", 9, "a.test."), alias("a.test.", 9, "shop.test.")];
        assert_eq!(read(&question, &answer(&question, circle)), addresses(9, &[]));
    }

    #[test]
    fn only_what_was_asked_for_counts() {
        let question = question();
        let six = Record::from_rdata(
            name("shop.test."),
            60,
            RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        );
        let reply = read(&question, &answer(&question, vec![six, a("shop.test.", 60, 1)]));
        assert_eq!(reply, addresses(60, &[1]));
    }

    #[test]
    fn what_does_not_belong_to_the_question_is_ignored() {
        let question = question();
        let good = answer(&question, vec![a("shop.test.", 60, 1)]);
        let mut other_id = good.clone();
        other_id.metadata.id = question.id.wrapping_add(1);
        let mut no_answer = good.clone();
        no_answer.metadata.message_type = MessageType::Query;
        let mut other_name = good.clone();
        other_name.queries = vec![Query::query(name("bank.test."), RecordType::A)];
        for wrong in [other_id, no_answer, other_name] {
            assert_eq!(read(&question, &wrong), None);
        }
        let bytes = good.to_vec().expect("encoded");
        for length in 0..bytes.len() {
            assert_eq!(question.reply(&bytes[..length]), None, "cut after {length}");
        }
    }

    proptest! {
        /// Whatever a server sends, behind the right number or a whole right question.
        #[test]
        fn any_bytes_are_read_or_ignored(
            rest in prop::collection::vec(any::<u8>(), 0..200),
            kept in 2usize..60,
        ) {
            let question = question();
            let records = vec![alias("shop.test.", 9, "a.test."), a("a.test.", 9, 1)];
            let good = answer(&question, records);
            let mut bytes = good.to_vec().expect("encoded");
            bytes.truncate(kept);
            bytes.extend(rest);
            if let Some(Reply::Addresses { list, .. }) = question.reply(&bytes) {
                prop_assert!(list.iter().all(IpAddr::is_ipv4));
            }
        }
    }

    #[test]
    fn the_code_of_the_answer_decides() {
        let question = question();
        for (code, expected) in [
            (ResponseCode::NXDomain, Reply::NoName),
            (ResponseCode::ServFail, Reply::Failed(ResponseCode::ServFail)),
            (ResponseCode::Refused, Reply::Failed(ResponseCode::Refused)),
        ] {
            let mut message = answer(&question, vec![]);
            message.metadata.response_code = code;
            assert_eq!(read(&question, &message), Some(expected));
        }
        let mut message = answer(&question, vec![a("shop.test.", 60, 1)]);
        message.metadata.truncation = true;
        assert_eq!(read(&question, &message), Some(Reply::Truncated));
    }
}
