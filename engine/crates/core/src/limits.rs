//! What may be asked for: the bounds of loads, settings and names. They are stated here once, for
//! the command line, the page, the master and the protocol.

use thiserror::Error;

use crate::message::Settings;
pub use crate::pace::{RATE_MAX, RATE_MIN};

/// Most users of a test.
pub const USERS_MAX: u32 = 10_000_000;

/// Most bytes of a worker's id.
pub const WORKER_ID_BYTES_MAX: usize = 256;

/// Most items in each list of the settings: arguments, tags, hosts.
pub const SETTINGS_LIST_MAX: u32 = 10_000;

/// Most bytes of each text in the settings. Linux passes at most 128 KiB in one argument of a
/// command, or in one variable of the environment.
pub const SETTINGS_TEXT_BYTES_MAX: usize = 1 << 20;

/// Most bytes of all texts in the settings together. Every order to every worker carries them.
pub const SETTINGS_BYTES_MAX: usize = 8 << 20;

/// Longest part of a text that an error shows, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A worker's id that no master takes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WorkerIdError {
    /// There is nothing in it.
    #[error("a worker's id must not be empty")]
    Empty,
    /// It has so many bytes.
    #[error("a worker's id has at most {WORKER_ID_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// Nobody would see it.
    #[error("a worker's id must not begin or end with a space, as {0:?} does")]
    Space(String),
    /// It would garble logs and tables.
    #[error("a worker's id must not contain control characters such as {0:?}")]
    Control(char),
}

/// Checks a worker's id.
///
/// # Errors
/// When it is empty, longer than [`WORKER_ID_BYTES_MAX`], contains a control character, or begins
/// or ends with a space.
pub fn check_worker_id(id: &str) -> Result<(), WorkerIdError> {
    if id.is_empty() {
        return Err(WorkerIdError::Empty);
    }
    if id.len() > WORKER_ID_BYTES_MAX {
        return Err(WorkerIdError::TooLong(id.len()));
    }
    if let Some(char) = id.chars().find(|char| char.is_control()) {
        return Err(WorkerIdError::Control(char));
    }
    if id.trim() != id {
        return Err(WorkerIdError::Space(shown(id)));
    }
    Ok(())
}

/// Settings that cannot be sent to workers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// A list has too many items.
    #[error("{count} {what} are given; workers take at most {SETTINGS_LIST_MAX}")]
    TooMany {
        /// What the list holds.
        what: &'static str,
        /// Its length.
        count: usize,
    },
    /// A text is too long.
    #[error("{what} has {bytes} bytes; workers take at most {SETTINGS_TEXT_BYTES_MAX}")]
    TextTooLong {
        /// Which text.
        what: String,
        /// Its length.
        bytes: usize,
    },
    /// All texts together are too long.
    #[error(
        "the arguments, tags and hosts have {0} bytes together; workers take at most \
         {SETTINGS_BYTES_MAX}"
    )]
    AllTooLong(usize),
    /// Two variables of the environment have the same name.
    #[error("the variable `{0}` is given twice (--env): which value is it?")]
    VariableTwice(String),
    /// The environment is too long.
    #[error("the environment (--env) has {0} bytes; workers take at most {SETTINGS_BYTES_MAX}")]
    EnvironmentTooLong(usize),
    /// Two arguments have the same name, and only one of them could count.
    #[error("the argument `{0}` is given twice: which value is it?")]
    ArgumentTwice(String),
}

impl Settings {
    /// Checks that workers can be told these settings.
    ///
    /// # Errors
    /// When a list or a text breaks a limit, or an argument is given twice.
    pub fn check(&self) -> Result<(), SettingsError> {
        let mut sum = Sum(0);
        self.host.iter().try_for_each(|host| sum.text(host, || "the host".to_owned()))?;
        sum.list(&self.allow_hosts, "allowed hosts", "the allowed host")?;
        sum.list(&self.tags, "tags", "the tag")?;
        sum.list(&self.exclude_tags, "excluded tags", "the excluded tag")?;
        sum.pairs(&self.args, "arguments", "argument")?;
        if sum.0 > SETTINGS_BYTES_MAX {
            return Err(SettingsError::AllTooLong(sum.0));
        }
        twice(&self.args).map_or(Ok(()), |name| Err(SettingsError::ArgumentTwice(name)))
    }
}

/// Checks that workers can be told these variables, each a name and its value.
///
/// # Errors
/// When they break a limit, or a variable is given twice. No error has a value in it.
pub fn check_environment(variables: &[(String, String)]) -> Result<(), SettingsError> {
    let mut sum = Sum(0);
    sum.pairs(variables, "variables of the environment", "variable")?;
    if sum.0 > SETTINGS_BYTES_MAX {
        return Err(SettingsError::EnvironmentTooLong(sum.0));
    }
    twice(variables).map_or(Ok(()), |name| Err(SettingsError::VariableTwice(name)))
}

/// A name that several pairs have.
fn twice(pairs: &[(String, String)]) -> Option<String> {
    let mut names: Vec<_> = pairs.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| shown(pair[0]))
}

/// Bytes of the texts so far.
struct Sum(usize);

impl Sum {
    fn text(&mut self, text: &str, what: impl FnOnce() -> String) -> Result<(), SettingsError> {
        self.0 += text.len();
        if text.len() > SETTINGS_TEXT_BYTES_MAX {
            return Err(SettingsError::TextTooLong { what: what(), bytes: text.len() });
        }
        Ok(())
    }

    fn pairs(
        &mut self,
        pairs: &[(String, String)],
        all: &'static str,
        one: &str,
    ) -> Result<(), SettingsError> {
        count(pairs.len(), all)?;
        for (name, value) in pairs {
            self.text(name, || format!("the name of the {one} `{}`", shown(name)))?;
            self.text(value, || format!("the value of the {one} `{}`", shown(name)))?;
        }
        Ok(())
    }

    fn list(
        &mut self,
        texts: &[String],
        all: &'static str,
        one: &str,
    ) -> Result<(), SettingsError> {
        count(texts.len(), all)?;
        texts.iter().try_for_each(|text| self.text(text, || format!("{one} `{}`", shown(text))))
    }
}

fn count(count: usize, what: &'static str) -> Result<(), SettingsError> {
    if count > SETTINGS_LIST_MAX as usize {
        return Err(SettingsError::TooMany { what, count });
    }
    Ok(())
}

/// The beginning of a text that may be long, for an error or a log.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_has_limits_and_each_name_once() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        check_environment(&[pair("A", "1"), pair("B", "")]).unwrap();
        let error = check_environment(&[pair("A", "x1"), pair("A", "x2")]).unwrap_err().to_string();
        assert!(error.contains("`A`") && !error.contains("x1"), "{error}");
        let long = "x".repeat(SETTINGS_TEXT_BYTES_MAX + 1);
        let error = check_environment(&[pair("A", &long)]).unwrap_err().to_string();
        assert!(error.contains("the variable `A`") && !error.contains("xxx"), "{error}");
        let many: Vec<_> = (0..=SETTINGS_BYTES_MAX / SETTINGS_TEXT_BYTES_MAX)
            .map(|i| pair(&i.to_string(), &long[1..]))
            .collect();
        check_environment(&many).unwrap_err();
    }

    fn args(args: impl IntoIterator<Item = (String, String)>) -> Settings {
        Settings { args: args.into_iter().collect(), ..Settings::default() }
    }

    fn texts(count: usize) -> Vec<String> {
        (0..count).map(|n| n.to_string()).collect()
    }

    #[test]
    fn worker_ids_are_short_and_can_be_printed() {
        for id in ["a", "host_12ab", "wörker 7", &"x".repeat(WORKER_ID_BYTES_MAX)] {
            assert_eq!(check_worker_id(id), Ok(()), "{id}");
        }
        assert_eq!(check_worker_id(""), Err(WorkerIdError::Empty));
        let long = "x".repeat(WORKER_ID_BYTES_MAX + 1);
        assert_eq!(check_worker_id(&long), Err(WorkerIdError::TooLong(WORKER_ID_BYTES_MAX + 1)));
        for (id, char) in [("a\nb", '\n'), ("\u{1b}[31m", '\u{1b}'), ("\u{85}", '\u{85}')] {
            assert_eq!(check_worker_id(id), Err(WorkerIdError::Control(char)));
        }
        for id in [" ", "a ", "\u{a0}a"] {
            assert_eq!(check_worker_id(id), Err(WorkerIdError::Space(id.to_owned())));
        }
        let message = check_worker_id("a\tb").unwrap_err().to_string();
        assert_eq!(message, r"a worker's id must not contain control characters such as '\t'");
    }

    #[test]
    fn settings_up_to_the_limits_are_taken() {
        let long = "x".repeat(SETTINGS_TEXT_BYTES_MAX);
        args([("a".to_owned(), long.clone())]).check().unwrap();
        let all = SETTINGS_BYTES_MAX / SETTINGS_TEXT_BYTES_MAX;
        Settings { tags: vec![long.clone(); all], ..Settings::default() }.check().unwrap();
        let list = texts(SETTINGS_LIST_MAX as usize);
        Settings { allow_hosts: list, host: Some(long), ..Settings::default() }.check().unwrap();
    }

    #[test]
    fn settings_beyond_the_limits_are_refused_by_name() {
        let long = "x".repeat(SETTINGS_TEXT_BYTES_MAX + 1);
        let many = texts(SETTINGS_LIST_MAX as usize + 1);
        let all = SETTINGS_BYTES_MAX / SETTINGS_TEXT_BYTES_MAX;
        let full = vec!["x".repeat(SETTINGS_TEXT_BYTES_MAX); all];
        let pairs = |names: &[String]| args(names.iter().map(|name| (name.clone(), name.clone())));
        let twice = ["b", "a", "b"].map(|name| (name.to_owned(), String::new()));
        let defaults = Settings::default;
        let cases = [
            (args([("users".to_owned(), long.clone())]), "the value of the argument `users` has"),
            (args([(long.clone(), String::new())]), "the name of the argument `xxx"),
            (Settings { host: Some(long.clone()), ..defaults() }, "the host has 1048577 bytes"),
            (Settings { tags: vec![long.clone()], ..defaults() }, "the tag `xxx"),
            (Settings { exclude_tags: vec![long], ..defaults() }, "the excluded tag `xxx"),
            (pairs(&many), "10001 arguments are given; workers take at most 10000"),
            (Settings { allow_hosts: many, ..defaults() }, "10001 allowed hosts are given"),
            (
                Settings { tags: full, host: Some("x".to_owned()), ..defaults() },
                "have 8388609 bytes together; workers take at most 8388608",
            ),
            (args(twice), "the argument `b` is given twice"),
        ];
        for (settings, part) in cases {
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
            assert!(error.len() < 200, "{error}");
        }
    }
}
