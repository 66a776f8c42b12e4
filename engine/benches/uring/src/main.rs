//! What a request costs when nothing is done but sending and receiving it, by epoll and by
//! io_uring: the bound of what a client would gain by changing from one to the other.
//!
//! `cargo run --release -- PORT [SECONDS] [ROUNDS]`, with a server on 127.0.0.1:PORT that keeps
//! connections open and answers `GET /` always with as many bytes. Pin it apart from the server.
//! The figures are in `engine/BENCHMARKS.md`.

use std::env;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use io_uring::{IoUring, opcode, squeue, types};

const CONNECTIONS: usize = 64;
const REQUEST: &[u8] = b"GET /?item=17 HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\n\r\n";
const BUFFER_BYTES: usize = 8 << 10;

/// One way to do it: requests that were answered until the end.
type Way = fn(SocketAddr, usize, Instant) -> io::Result<u64>;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let mut number = |otherwise| match arguments.next() {
        Some(text) => text.parse().map_err(|_| io::Error::other(format!("{text} is no number"))),
        None => Ok(otherwise),
    };
    let (port, seconds, rounds) = (number(8080)?, number(5)?, number(5)?);
    let port = u16::try_from(port).map_err(io::Error::other)?;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let answer = answer_bytes(server)?;
    let ways: [(&str, Way); 4] =
        [("epoll", epoll), ("io_uring", uring), ("linked", uring_linked), ("defer", uring_defer)];
    for round in 1..=rounds {
        for (name, way) in ways {
            let before = processor_time();
            let requests = way(server, answer, Instant::now() + Duration::from_secs(seconds))?;
            let used = processor_time() - before;
            println!(
                "round {round}: {name:<8} {:>8.0} requests/s {:>6.2} µs of CPU each",
                requests as f64 / seconds as f64,
                used.as_secs_f64() * 1e6 / requests as f64,
            );
        }
    }
    Ok(())
}

/// User and kernel, of this process.
fn processor_time() -> Duration {
    // SAFETY: the structure is plain numbers, for which zero is a value; the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &raw mut usage), 0, "it is this process");
        usage
    };
    [usage.ru_utime, usage.ru_stime]
        .map(|time| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000))
        .into_iter()
        .sum()
}

/// How long an answer is.
fn answer_bytes(server: SocketAddr) -> io::Result<usize> {
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(REQUEST)?;
    std::thread::sleep(Duration::from_millis(100));
    stream.read(&mut [0; BUFFER_BYTES])
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn epoll(server: SocketAddr, answer: usize, end: Instant) -> io::Result<u64> {
    let mut poll = mio::Poll::new()?;
    let mut events = mio::Events::with_capacity(1024);
    let mut streams = Vec::new();
    for index in 0..CONNECTIONS {
        let mut stream = connect(server)?;
        stream.write_all(REQUEST)?;
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        let interests = mio::Interest::READABLE | mio::Interest::WRITABLE;
        poll.registry().register(&mut stream, mio::Token(index), interests)?;
        streams.push((stream, 0));
    }
    let mut buffer = [0; BUFFER_BYTES];
    let mut requests = 0;
    while Instant::now() < end {
        poll.poll(&mut events, None)?;
        for event in events.iter().filter(|event| event.is_readable()) {
            let (stream, received) = &mut streams[event.token().0];
            match stream.read(&mut buffer) {
                Ok(bytes) => *received += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if *received >= answer {
                *received = 0;
                requests += 1;
                stream.write_all(REQUEST)?;
            }
        }
    }
    Ok(requests)
}

/// Of the operations of a connection: which one ended.
const RECEIVED: u64 = 1 << 32;

fn uring(server: SocketAddr, answer: usize, end: Instant) -> io::Result<u64> {
    drive(&mut IoUring::new(256)?, false, server, answer, end)
}

/// The receive is linked to the send, so that it is begun when that is done.
fn uring_linked(server: SocketAddr, answer: usize, end: Instant) -> io::Result<u64> {
    drive(&mut IoUring::new(256)?, true, server, answer, end)
}

/// Work of the kernel for this thread is done when it waits, not in interrupts.
fn uring_defer(server: SocketAddr, answer: usize, end: Instant) -> io::Result<u64> {
    let mut ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(256)?;
    drive(&mut ring, false, server, answer, end)
}

fn drive(
    ring: &mut IoUring,
    linked: bool,
    server: SocketAddr,
    answer: usize,
    end: Instant,
) -> io::Result<u64> {
    let streams: Vec<TcpStream> =
        (0..CONNECTIONS).map(|_| connect(server)).collect::<io::Result<_>>()?;
    let mut buffers = vec![[0_u8; BUFFER_BYTES]; CONNECTIONS];
    let mut received = [0; CONNECTIONS];
    let (mut requests, mut under_way) = (0, 0);
    let mut due: Vec<squeue::Entry> = Vec::new();
    for index in 0..CONNECTIONS {
        due.extend(exchange(&streams, &mut buffers, index, linked));
    }
    while Instant::now() < end {
        under_way += due.len();
        for entry in due.drain(..) {
            // SAFETY: buffers and sockets live until nothing is under way any more, see below.
            unsafe { ring.submission().push(&entry).map_err(io::Error::other)? };
        }
        ring.submit_and_wait(1)?;
        let done: Vec<(u64, i32)> =
            ring.completion().map(|entry| (entry.user_data(), entry.result())).collect();
        under_way -= done.len();
        for (what, result) in done {
            let bytes =
                usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))?;
            if what & RECEIVED == 0 {
                continue;
            }
            let index = (what & !RECEIVED) as usize;
            received[index] += bytes;
            if received[index] >= answer {
                received[index] = 0;
                requests += 1;
                due.extend(exchange(&streams, &mut buffers, index, linked));
            } else {
                due.push(receive(&streams, &mut buffers, index));
            }
        }
    }
    // What is under way ends with its socket.
    streams.iter().try_for_each(|stream| stream.shutdown(std::net::Shutdown::Both))?;
    while under_way > 0 {
        ring.submit_and_wait(1)?;
        under_way -= ring.completion().count();
    }
    Ok(requests)
}

fn exchange(
    streams: &[TcpStream],
    buffers: &mut [[u8; BUFFER_BYTES]],
    index: usize,
    linked: bool,
) -> [squeue::Entry; 2] {
    let socket = types::Fd(streams[index].as_raw_fd());
    let send = opcode::Send::new(socket, REQUEST.as_ptr(), REQUEST.len() as u32).build();
    let flags = if linked { squeue::Flags::IO_LINK } else { squeue::Flags::empty() };
    [send.user_data(index as u64).flags(flags), receive(streams, buffers, index)]
}

fn receive(
    streams: &[TcpStream],
    buffers: &mut [[u8; BUFFER_BYTES]],
    index: usize,
) -> squeue::Entry {
    let buffer = &mut buffers[index];
    let socket = types::Fd(streams[index].as_raw_fd());
    let receive = opcode::Recv::new(socket, buffer.as_mut_ptr(), BUFFER_BYTES as u32).build();
    receive.user_data(index as u64 | RECEIVED)
}
