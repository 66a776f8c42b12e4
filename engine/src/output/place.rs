//! Where a result goes, and how it gets there whole: a file is replaced in one go, a device or a
//! pipe is written to and stays what it is.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, OFlags, access, fstat};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::patient;

/// Stands for standard output, as a path.
pub(crate) const STDOUT: &str = "-";

/// Symbolic links that are followed, one after the other; the kernel's own limit.
const LINKS_MAX: usize = 40;

/// Where a result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// To standard output, which nothing else is printed to then.
    Stdout,
    /// To a file, links resolved.
    File(PathBuf),
    /// To a device or a pipe.
    Device(PathBuf),
}

/// Does this path mean standard output, so that nothing else may be printed there?
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new(STDOUT)
        || fs::metadata(path).is_ok_and(|there| {
            // Who throws away both wants no tables on standard error.
            let is_null = there.file_type().is_char_device() && !is_terminal(path);
            !is_null && is_open_as(&there, &io::stdout())
        })
}

fn is_terminal(path: &Path) -> bool {
    let opened = OpenOptions::new().write(true).custom_flags(no_wait()).open(path);
    opened.is_ok_and(|file| io::IsTerminal::is_terminal(&file))
}

/// Does a stream of this process lead there?
fn is_open_as(there: &Metadata, stream: &impl AsFd) -> bool {
    fstat(stream).is_ok_and(|open| (open.st_dev, open.st_ino) == (there.dev(), there.ino()))
}

/// Nobody waits in opening a pipe, and a terminal does not become ours.
fn no_wait() -> i32 {
    (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()
}

impl Place {
    /// What a path means. Nothing that is there is changed.
    ///
    /// # Errors
    /// When it cannot be written, as far as that can be known.
    pub(crate) fn find(path: &Path) -> io::Result<Self> {
        if is_stdout(path) {
            return Ok(Self::Stdout);
        }
        // What ends so is a folder, and its name is not that of a file.
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(Errno::ISDIR.into());
        }
        match fs::metadata(path) {
            Ok(there) => Self::of(path, &there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = resolved(path)?;
                temporary(&file)?.close()?;
                Ok(Self::File(file))
            }
            Err(error) => Err(error),
        }
    }

    /// What a path means where something is already.
    fn of(path: &Path, there: &Metadata) -> io::Result<Self> {
        let kind = there.file_type();
        if kind.is_dir() {
            return Err(Errno::ISDIR.into());
        }
        access(path, Access::WRITE_OK)?;
        // A log that goes to the same file must stay in it.
        if kind.is_char_device() || kind.is_fifo() || is_open_as(there, &io::stderr()) {
            return Ok(Self::Device(path.to_owned()));
        }
        if !kind.is_file() {
            let text = "it is neither a file nor a pipe nor a character device";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        let file = fs::canonicalize(path)?;
        match temporary(&file) {
            Ok(temporary) => temporary.close()?,
            // Then it is written where it is.
            Err(error) if is_no_place(&error) => drop(OpenOptions::new().append(true).open(path)?),
            Err(error) => return Err(error),
        }
        Ok(Self::File(file))
    }

    /// The file that it is, links resolved.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Stdout | Self::Device(_) => None,
        }
    }

    /// Writes all of it or, to a file, nothing. A pipe is waited for as long as somebody reads.
    ///
    /// # Errors
    /// When it is not there now.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => patient::write(&io::stdout(), bytes),
            Self::Device(path) => patient::write(&patient::open(path)?, bytes),
            Self::File(path) => replace(path, bytes).map(drop),
        }
    }
}

/// Writes a file beside its place and moves it there. Gives the file, which can be written on.
///
/// # Errors
/// When that fails; what was there before is still there, unless the folder takes no new file.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut beside = match temporary(path) {
        Ok(beside) => beside,
        Err(error) if is_no_place(&error) => return overwrite(path, bytes).map_err(|_| error),
        Err(error) => return Err(error),
    };
    beside.as_file_mut().write_all(bytes)?;
    if let Ok(before) = fs::metadata(path) {
        beside.as_file().set_permissions(before.permissions())?;
        // Only root can give a file away; it is the same file to all others.
        let _ = fchown(beside.as_file(), Some(before.uid()), Some(before.gid()));
    }
    beside.as_file().sync_all()?;
    match beside.persist(path) {
        Ok(file) => {
            // The move is safe as well then; that it can be done is known.
            let _ = File::open(folder(path)).and_then(|folder| folder.sync_all());
            Ok(file)
        }
        // A file that is mounted by itself cannot be replaced.
        Err(error) if error.error.raw_os_error() == Some(Errno::BUSY.raw_os_error()) => {
            overwrite(path, bytes)
        }
        Err(error) => Err(error.error),
    }
}

/// Writes a file where it is.
fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()?;
    Ok(file)
}

/// Is it the folder that takes no new file, though those in it might be written?
fn is_no_place(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// A new file in the folder of another.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // As anybody makes files: less what the umask takes away.
    builder.prefix(".swarm-").suffix(".new").permissions(Permissions::from_mode(0o666));
    builder.tempfile_in(folder(path)).map_err(plain)
}

/// Without the name of the temporary file, which says nothing to anybody.
pub(crate) fn plain(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path ") {
        Some((text, _)) => io::Error::new(error.kind(), text),
        None => error,
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Where a file will be that is not there yet, links that lead to it resolved.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&path) else {
            let name = path.file_name().ok_or(Errno::ISDIR)?;
            return Ok(fs::canonicalize(folder(&path))?.join(name));
        };
        path = folder(&path).join(target);
    }
    Err(Errno::LOOP.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_place_is_looked_at_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        let place = Place::find(&path).unwrap();
        assert!(names(folder.path()).is_empty());
        fs::write(&path, "old").unwrap();
        assert_eq!(Place::find(&path).unwrap(), place);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["result.json"]);
        place.write(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(folder.path()), ["result.json"]);
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_new_one_has_the_usual_one() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (usual, kept) = (folder.path().join("usual"), folder.path().join("kept"));
        fs::write(&usual, "").unwrap();
        fs::write(&kept, "").unwrap();
        fs::set_permissions(&kept, Permissions::from_mode(0o640)).unwrap();
        Place::find(&kept).unwrap().write(b"x").unwrap();
        let new = folder.path().join("new");
        Place::find(&new).unwrap().write(b"x").unwrap();
        assert_eq!((mode(&kept), mode(&new)), (0o640, mode(&usual)));
    }

    #[test]
    fn links_stay_and_their_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("there")).unwrap();
        let (link, file) = (folder.path().join("link"), folder.path().join("there/file"));
        symlink("there/file", &link).unwrap();
        // First one that leads nowhere, then one to a file.
        for text in ["first", "second"] {
            let place = Place::find(&link).unwrap();
            assert_eq!(
                place,
                Place::File(fs::canonicalize(folder.path()).unwrap().join("there/file"))
            );
            place.write(text.as_bytes()).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        symlink("circle", folder.path().join("circle")).unwrap();
        Place::find(&folder.path().join("circle")).unwrap_err();
    }

    #[test]
    fn what_cannot_be_written_is_said_as_the_system_says_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &str| Place::find(&folder.path().join(path)).unwrap_err().to_string();
        assert!(error("new/").starts_with("Is a directory"), "{}", error("new/"));
        assert!(error("no/where").starts_with("No such file"), "{}", error("no/where"));
        assert!(error("").starts_with("Is a directory"), "{}", error(""));
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(error("file/x").starts_with("Not a directory"), "{}", error("file/x"));
        let gone = Place::find(&folder.path().join("x")).unwrap();
        fs::remove_dir_all(folder.path()).unwrap();
        let error = gone.write(b"x").unwrap_err().to_string();
        assert_eq!(error, "No such file or directory (os error 2)");
    }

    #[test]
    fn devices_are_written_to_and_stay() {
        let null = Path::new("/dev/null");
        let place = Place::find(null).unwrap();
        assert_eq!(place, Place::Device(null.to_owned()));
        place.write(b"x").unwrap();
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
        let full = Place::find(Path::new("/dev/full")).unwrap().write(b"x").unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }
}
