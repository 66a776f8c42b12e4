//! How often memory is asked for on the way of a request, which is multiplied by the rate.
//!
//! A binary of its own, as its allocator counts. Only what the thread of the client does counts.
#![expect(unsafe_code, reason = "an allocator that counts has to be one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpListener;

use swarm_client::{AllowList, BaseUrl, ClientConfig, Request, Session, Shared};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: all is left to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(memory, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const HEAD: &str = "HTTP/1.1 200 OK\r\nserver: test\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
    content-type: text/plain\r\n";

/// Where an answer differs from the last one, if it does.
const NUMBER: &str = "000000";

/// Answers every request of one connection, which come in one packet each. [`NUMBER`] counts.
fn serve(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut buffer = [0; 4096];
        let mut answered = 0;
        while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
            answered += 1;
            let answer = answer.replace(NUMBER, &format!("{answered:06}"));
            stream.write_all(answer.as_bytes()).expect("write");
        }
    });
    url
}

/// Requests that are counted.
const REQUESTS: u64 = 50;

/// Allocations of [`REQUESTS`] on a kept connection.
fn allocations(answer: String, keep_body: bool) -> u64 {
    let base: BaseUrl = serve(answer).parse().expect("URL");
    let mut allowed = AllowList::default();
    allowed.target(&base);
    let shared = Shared::new(ClientConfig::default(), allowed).expect("defaults");
    let session = Session::new(shared, Some(base));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("runtime").block_on(async {
        let mut before = 0;
        for round in 0..2 * REQUESTS {
            if round == REQUESTS {
                before = ALLOCATIONS.get();
            }
            // The scenario's part, not the client's.
            let uncounted = ALLOCATIONS.get();
            let request = Request { keep_body, ..Request::get("/items") };
            ALLOCATIONS.set(uncounted);
            let response = session.send(request).await.expect("response");
            assert_eq!(response.body_bytes, 5);
        }
        ALLOCATIONS.get() - before
    })
}

#[test]
fn a_request_on_a_kept_connection_allocates_for_what_is_kept_of_the_answer() {
    let length = format!("{HEAD}content-length: 5\r\n\r\nhello");
    assert_eq!(allocations(length.clone(), false), 0, "a head that is known");
    assert_eq!(allocations(length, true), REQUESTS, "the bodies");
    let chunked = format!("{HEAD}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    assert_eq!(allocations(chunked, false), 0, "a head that is known");
    let new = format!("{HEAD}x-number: {NUMBER}\r\ncontent-length: 5\r\n\r\nhello");
    let made = allocations(new, false);
    // A few heads of so many are remembered, in vain.
    assert!((REQUESTS..REQUESTS + 5).contains(&made), "{made} for {REQUESTS} heads");
}
