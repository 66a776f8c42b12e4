//! Writing to devices and pipes, which may take their time, or take nothing: for as long as
//! somebody reads, and not for ever.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// How long a result waits for a reader, or for one that has stopped to read.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Pause between two looks whether there is a reader.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Bytes at a time: so many do not block a pipe that is ready for any.
const WRITE_BYTES_MAX: usize = 4096;

/// Opens a device or a pipe, which may have to wait for its reader.
///
/// # Errors
/// When it cannot be opened, or nobody comes.
pub(super) fn open(path: &Path) -> io::Result<File> {
    open_within(path, WAIT_MAX)
}

fn open_within(path: &Path, wait_max: Duration) -> io::Result<File> {
    let begin = Instant::now();
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    loop {
        let mut options = OpenOptions::new();
        let opened = options.append(true).custom_flags(flags.bits().cast_signed()).open(path);
        match opened {
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                if begin.elapsed() >= wait_max {
                    return Err(nobody_reads(wait_max));
                }
                std::thread::sleep(LOOK_INTERVAL);
            }
            opened => return opened,
        }
    }
}

/// Writes all of it. That a reader has had enough is no error.
///
/// # Errors
/// When it cannot be written, or nobody reads.
pub(super) fn write(to: &impl AsFd, bytes: &[u8]) -> io::Result<()> {
    write_within(to.as_fd(), bytes, WAIT_MAX)
}

fn write_within(to: BorrowedFd<'_>, bytes: &[u8], wait_max: Duration) -> io::Result<()> {
    let (mut rest, mut last) = (bytes, Instant::now());
    let interval = Timespec::try_from(LOOK_INTERVAL).map_err(io::Error::other)?;
    while !rest.is_empty() {
        // Standard output may block: it is asked before.
        let mut watched = [PollFd::from_borrowed_fd(to, PollFlags::OUT)];
        match poll(&mut watched, Some(&interval)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => match rustix::io::write(to, &rest[..rest.len().min(WRITE_BYTES_MAX)]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => (rest, last) = (&rest[count..], Instant::now()),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(Errno::PIPE) => {
                    tracing::info!("whoever read the result has had enough of it");
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        }
        if last.elapsed() >= wait_max {
            return Err(nobody_reads(wait_max));
        }
    }
    Ok(())
}

fn nobody_reads(waited: Duration) -> io::Error {
    let text = format!("nobody has read it for {} s", waited.as_secs_f32());
    io::Error::new(ErrorKind::TimedOut, text)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(100);

    #[test]
    fn a_slow_reader_gets_all_of_it() {
        let (mut reader, writer) = io::pipe().unwrap();
        let bytes = vec![b'x'; 300_000];
        let written = std::thread::spawn({
            let bytes = bytes.clone();
            move || write_within(writer.as_fd(), &bytes, LONG)
        });
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        written.join().unwrap().unwrap();
        assert!(read == bytes);
    }

    #[test]
    fn who_reads_nothing_is_not_waited_for_for_ever() {
        let (reader, writer) = io::pipe().unwrap();
        let error = write_within(writer.as_fd(), &vec![b'x'; 300_000], SHORT).unwrap_err();
        assert_eq!(error.to_string(), "nobody has read it for 0.1 s");
        drop(reader);
        write_within(writer.as_fd(), b"x", SHORT).unwrap();
    }

    #[test]
    fn a_named_pipe_waits_for_its_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let error = open_within(&path, SHORT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let opened = std::thread::spawn({
            let path = path.clone();
            move || open_within(&path, LONG)
        });
        let mut reader = File::open(&path).unwrap();
        write_within(opened.join().unwrap().unwrap().as_fd(), b"here", LONG).unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "here");
    }
}
