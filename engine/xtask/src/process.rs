//! Runs other programs: shows what it runs, and fails with the name of what failed.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a child that has a time limit is asked whether it is done.
const POLL: Duration = Duration::from_millis(50);

/// Shows the command and runs it with this process' input and output.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", line(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    check(command, status)
}

/// Runs the command without a word; shows all it said if it fails.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        eprintln!("$ {}", line(command));
        eprint!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
    }
    check(command, output.status)
}

/// Does the command succeed? It is run without a word.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// What the command prints, without the line feed at its end.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| cannot_start(command))?;
    check(command, output.status)?;
    let text = String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed something that is not UTF-8", line(command)))?;
    Ok(text.trim_end().to_owned())
}

/// Runs the command for at most `limit`, without a word. What it said is in the error.
pub(crate) fn quiet_within(command: &mut Command, limit: Duration) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    // Read elsewhere: a child that fills the pipe would wait for us, and we for it.
    let mut pipe = child.stderr.take();
    let said = std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(pipe) = &mut pipe {
            // What cannot be read cannot be shown; the exit status decides.
            let _ = pipe.read_to_string(&mut text);
        }
        text
    });
    let Some(status) = wait_for(&mut child, limit)? else {
        child.kill().context("failed to stop a child")?;
        child.wait().context("failed to wait for a child")?;
        bail!("`{}` took longer than {limit:?}", line(command));
    };
    let said = said.join().unwrap_or_default();
    check(command, status).with_context(|| said.trim().to_owned())
}

/// Waits for a child for at most `limit`; `None` if it is still running then.
pub(crate) fn wait_for(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("failed to wait for a child")? {
            return Ok(Some(status));
        }
        if begun.elapsed() >= limit {
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// Where a program is, if it is on the PATH or among the daemons, whose folder is not on
/// everybody's PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// A command to be run in this folder.
pub(crate) fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

/// A command as one would type it, without its environment.
pub(crate) fn line(command: &Command) -> String {
    let mut words = vec![name(command)];
    words.extend(command.get_args().map(|word| quoted(&word.to_string_lossy())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

fn cannot_start(command: &Command) -> String {
    format!("failed to start `{}`", line(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command() {
        let error = quiet(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("sh -c 'exit 3'") && text.contains('3'), "{text}");
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert!(error.to_string().contains("no-such-program"));
    }

    #[test]
    fn a_limit_ends_a_child_that_hangs() {
        let begun = Instant::now();
        let error = quiet_within(Command::new("sleep").arg("600"), POLL).unwrap_err();
        assert!(error.to_string().contains("took longer"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(300));
    }

    #[test]
    fn what_a_failed_child_said_is_in_the_error() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo the reason >&2; exit 1"]);
        let error = quiet_within(&mut command, Duration::from_secs(60)).unwrap_err();
        assert!(format!("{error:#}").contains("the reason"), "{error:#}");
    }
}
