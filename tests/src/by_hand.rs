//! What programs have in common that are run by hand and measure.

use std::process::ExitCode;

/// Reads the command line by `parse`. What there is to end with instead, if help is wanted or
/// something is wrong, has been said.
///
/// # Errors
/// The exit code to end with.
pub fn options<T>(
    help: &str,
    parse: impl FnOnce(&[String]) -> Result<T, String>,
) -> Result<T, ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{help}");
        return Err(ExitCode::SUCCESS);
    }
    parse(&arguments).map_err(|message| {
        eprintln!("error: {message}\n\n{help}");
        ExitCode::from(2)
    })
}

/// The name of this machine's processor, if the system tells it.
pub fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
