//! From the words of the command line and the variables of the environment to [`Cli`].

use std::ffi::OsString;
use std::io;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use super::environment::{Environment, Injected};
use super::{Cli, Command as Subcommand, advice, help};
use crate::exit::Exit;

/// Something that the operator should know of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// All is well.
    Info(String),
    /// Something has no effect.
    Warning(String),
}

impl Cli {
    /// Reads the command line and the environment of this process. Ends the process as `clap` does:
    /// after `--help`, and when something is wrong.
    #[must_use]
    pub(crate) fn read() -> Self {
        let environment = Environment::of_process();
        match Self::read_from(std::env::args_os().collect(), &environment) {
            Ok(cli) => cli,
            Err(error) => {
                // As `clap` ends it, which takes no notice of a full disk.
                let code = match error.print() {
                    Err(failed) if is_lost(&error, &failed) => Exit::Output.code(),
                    _ => u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()),
                };
                std::process::exit(code.into())
            }
        }
    }

    /// Reads these words, of which the first is the program's name, and this environment. What
    /// flags say goes before `SWARM_...`, and that goes before Locust's variables.
    ///
    /// # Errors
    /// What is wrong, with its remedy; or the text that was asked for, as by `--help`.
    pub(crate) fn read_from(
        words: Vec<OsString>,
        environment: &Environment,
    ) -> Result<Self, clap::Error> {
        let mut described = Self::command();
        described.build();
        // What is in the environment has its place among the words: `clap` shall not look.
        let mut command = help::arrange(Self::command());
        let injected = match Chosen::among(&command, &words) {
            Some(chosen) => chosen.inject(&described, environment)?,
            None => Injected::default(),
        };
        let mut all = words;
        let at = injected.place.min(all.len());
        all.splice(at..at, injected.words.iter().cloned());
        let matches = command.try_get_matches_from_mut(all);
        let matches = matches.map_err(|error| advice::explain(error, &described, &injected))?;
        let mut cli = Self::from_arg_matches(&matches)?;
        if !cli.is_part() {
            cli.notes.extend(injected.note());
            cli.notes.extend(environment.unknown(&described).into_iter().map(Note::Warning));
        }
        Ok(cli)
    }

    /// Is this one of several processes, whose parent has told all that there is to tell?
    fn is_part(&self) -> bool {
        match &self.command {
            Subcommand::Worker(args) => args.part.is_some(),
            Subcommand::Target(args) => args.part.is_some(),
            _ => false,
        }
    }
}

/// Has nobody got what was asked for? That a reader has had enough is no fault.
fn is_lost(asked: &clap::Error, failed: &io::Error) -> bool {
    !asked.use_stderr() && failed.kind() != io::ErrorKind::BrokenPipe
}

/// The subcommand that was chosen.
struct Chosen {
    name: String,
    /// The place of its name among the words.
    place: usize,
    /// What the words say, as far as they can be understood.
    matches: ArgMatches,
}

impl Chosen {
    fn among(command: &Command, words: &[OsString]) -> Option<Self> {
        let lenient = command.clone().ignore_errors(true);
        let mut matches = lenient.try_get_matches_from(words).ok()?;
        let (name, matches) = matches.remove_subcommand()?;
        let place = words.iter().skip(1).position(|word| *word == *name.as_str())? + 1;
        Some(Self { name, place, matches })
    }

    /// The words that the environment stands for, behind the name of the subcommand.
    fn inject(
        &self,
        described: &Command,
        environment: &Environment,
    ) -> Result<Injected, clap::Error> {
        let given = |id: &str| self.matches.value_source(id) == Some(ValueSource::CommandLine);
        let names = |id: &str| -> Vec<String> {
            let arguments = self.matches.get_many::<(String, String)>(id);
            arguments.into_iter().flatten().map(|(name, _)| name.clone()).collect()
        };
        let subcommand = described.find_subcommand(&self.name).expect("it has been chosen");
        let injected = environment.stand_for(subcommand, &given, &names);
        let injected = injected.map_err(|text| {
            let mut subcommand = subcommand.clone();
            subcommand.error(ErrorKind::InvalidValue, text)
        })?;
        Ok(Injected { place: self.place + 1, ..injected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str], variables: &[(&str, &str)]) -> Result<Cli, String> {
        let words = ["swarm"].iter().chain(words).map(OsString::from).collect();
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), value.into()));
        let environment = Environment::of(pairs);
        Cli::read_from(words, &environment).map_err(|error| error.to_string())
    }

    /// What `swarm run` makes of it.
    fn test(words: &[&str], variables: &[(&str, &str)]) -> super::super::TestArgs {
        let cli = read(&[&["run"], words].concat(), variables);
        match cli.unwrap_or_else(|error| panic!("{words:?} {variables:?}: {error}")).command {
            Subcommand::Run(args) => args.test,
            other => panic!("{other:?}"),
        }
    }

    fn fails(words: &[&str], variables: &[(&str, &str)], parts: &[&str]) {
        let error = read(words, variables).expect_err("it is wrong");
        for part in parts {
            assert!(error.contains(part), "{words:?} {variables:?}: {part:?} is not in:\n{error}");
        }
    }

    fn notes(words: &[&str], variables: &[(&str, &str)]) -> Vec<Note> {
        read(words, variables).expect("it is right").notes
    }

    #[test]
    fn flags_come_before_variables_and_those_before_locusts() {
        let swarm = ("SWARM_USERS", "7");
        let locust = ("LOCUST_USERS", "9");
        assert_eq!(test(&["-u", "5"], &[swarm, locust]).users, Some(5));
        assert_eq!(test(&["--users=5"], &[swarm]).users, Some(5));
        assert_eq!(test(&[], &[swarm, locust]).users, Some(7));
        assert_eq!(test(&[], &[locust]).users, Some(9));
        assert_eq!(test(&[], &[("SWARM_USERS", ""), locust]).users, Some(9));
        assert_eq!(test(&[], &[("SWARM_USERS", "")]).users, None);
    }

    #[test]
    fn truth_is_written_in_many_ways() {
        for yes in ["1", "yes", "on", "true", "YES", "True", "ON"] {
            assert!(test(&[], &[("SWARM_HEADLESS", yes)]).headless, "{yes}");
        }
        for no in ["0", "no", "off", "false", "No", "FALSE", ""] {
            assert!(!test(&[], &[("SWARM_HEADLESS", no)]).headless, "{no}");
        }
        fails(&["run"], &[("SWARM_HEADLESS", "2")], &["SWARM_HEADLESS", "`2`", "yes nor no"]);
        fails(&["run"], &[("LOCUST_HEADLESS", "maybe")], &["LOCUST_HEADLESS", "`maybe`"]);
    }

    #[test]
    fn no_empty_variable_has_a_meaning() {
        let mut described = Cli::command();
        described.build();
        for command in described.get_subcommands() {
            for variable in command.get_arguments().filter_map(clap::Arg::get_env) {
                let name = variable.to_str().expect("a plain name");
                let words: &[&str] = match command.get_name() {
                    "run" => &["run"],
                    "master" => &["master", "x.wasm"],
                    "worker" => &["worker"],
                    "target" => &["target"],
                    _ => continue,
                };
                read(words, &[(name, "")]).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }

    #[test]
    fn a_flag_wins_over_a_variable_that_contradicts_it() {
        let args = test(&["--headless"], &[("SWARM_AUTOSTART", "1")]);
        assert!(args.headless && !args.autostart);
        let args = test(&[], &[("SWARM_AUTOSTART", "1"), ("LOCUST_HEADLESS", "1")]);
        assert!(args.autostart && !args.headless);
        let both = [("SWARM_AUTOSTART", "1"), ("SWARM_HEADLESS", "1")];
        fails(&["run"], &both, &["cannot be used with", "SWARM_AUTOSTART", "SWARM_HEADLESS"]);
        fails(&["run", "--headless", "--autostart"], &[], &["cannot be used with"]);
        fails(&["run", "-u", "1", "--users", "2"], &[], &["--users", "multiple times"]);
    }

    #[test]
    fn what_is_wrong_with_a_variable_names_it() {
        let parts = ["invalid value '0' for '--users <USERS>'", "SWARM_USERS", "from 1 to"];
        fails(&["run"], &[("SWARM_USERS", "0")], &parts);
        fails(&["run"], &[("LOCUST_SPAWN_RATE", "fast")], &["--spawn-rate", "LOCUST_SPAWN_RATE"]);
        let service = ("SWARM_MASTER_PORT", "tcp://10.0.0.1:5557");
        fails(&["worker"], &[service], &["SWARM_MASTER_PORT", "Kubernetes", "--master-port"]);
    }

    #[test]
    fn no_value_of_an_argument_is_cut() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let words = ["--arg", "a=x;b", "--arg", "c=1;d=2", "--arg", "e="];
        let expected = [pair("a", "x;b"), pair("c", "1;d=2"), pair("e", "")];
        assert_eq!(test(&words, &[]).args, expected);
        let lines = ("SWARM_ARGS", "a=x;b\nc=1;d=2\r\n\n  \ne=");
        assert_eq!(test(&[], &[lines]).args, expected);
        // Each argument by itself: the flag's value instead of the variable's.
        let both = test(&["--arg", "c=3"], &[lines]).args;
        assert_eq!(both, [pair("a", "x;b"), pair("e", ""), pair("c", "3")]);
        fails(&["run"], &[("SWARM_ARGS", "a=1\nnameless")], &["nameless", "NAME=VALUE"]);
        fails(&["run", "--arg", "=1"], &[], &["NAME=VALUE"]);
    }

    #[test]
    fn the_environment_of_a_script_is_what_is_passed_on() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let given = test(&["-e", "A=x=;y", "--env", "B="], &[]).env;
        assert_eq!(given, [pair("A", "x=;y"), pair("B", "")]);
        // Cargo sets this one for its tests.
        let name = "CARGO_PKG_NAME";
        let own = std::env::var(name).expect("the tests are run by cargo");
        assert_eq!(test(&["-e", name], &[]).env, [pair(name, &own)]);
        let lines = ("SWARM_ENV", "A=1\nCARGO_PKG_NAME\nC=3");
        assert_eq!(test(&[], &[lines]).env, [pair("A", "1"), pair(name, &own), pair("C", "3")]);
        // Each variable by itself: the flag's value instead of the one of SWARM_ENV.
        let both = test(&["-e", "A=2", "-e", "CARGO_PKG_NAME=x"], &[lines]).env;
        assert_eq!(both, [pair("C", "3"), pair("A", "2"), pair(name, "x")]);
        fails(
            &["run", "-e", "SWARM_NOT_THERE"],
            &[],
            &["SWARM_NOT_THERE is not in the environment"],
        );
        fails(&["run", "-e", "=1"], &[], &["NAME=VALUE"]);
    }

    #[test]
    fn lists_are_trimmed_and_have_no_empty_items() {
        assert_eq!(test(&["--tags", "a, b"], &[]).tags, ["a", "b"]);
        assert_eq!(test(&[], &[("SWARM_TAGS", "a,b")]).tags, ["a", "b"]);
        assert_eq!(test(&["--tags", "c"], &[("SWARM_TAGS", "a,b")]).tags, ["c"]);
        for tags in [["[a, 'b']"], ["a b"], ["a,b"]] {
            assert_eq!(test(&[], &[("LOCUST_TAGS", tags[0])]).tags, ["a", "b"], "{tags:?}");
        }
        for flag in ["--tags", "--exclude-tags", "--allow-host"] {
            fails(&["run", flag, "a,,b"], &[], &[flag, "empty"]);
        }
    }

    #[test]
    fn variables_that_nobody_reads_are_told() {
        let warning = |text: &str| Note::Warning(text.to_owned());
        let told = notes(&["run"], &[("SWARM_USER", "5"), ("SWARM_FROBNICATE", "1")]);
        let expected = [
            warning("SWARM_FROBNICATE is set, and nothing reads it"),
            warning("SWARM_USER is set, and nothing reads it: is SWARM_USERS meant?"),
        ];
        assert_eq!(told, expected);
        // Of other commands, of tools, of Kubernetes, or empty.
        let fine = [
            ("SWARM_MASTER_HOST", "a"),
            ("SWARM_CACHE_DIR", "/tmp"),
            ("SWARM_TOKEN", "x"),
            ("SWARM_MASTER_SERVICE_HOST", "10.0.0.1"),
            ("SWARM_MASTER_PORT_5557_TCP_ADDR", "10.0.0.1"),
            ("SWARM_USER", ""),
        ];
        assert_eq!(notes(&["run"], &fine), []);
        let part = ["worker", "--part=0/2/w"];
        assert_eq!(notes(&part, &[("SWARM_USER", "5")]), [], "the parent has told it");
    }

    #[test]
    fn what_is_read_of_locusts_variables_is_said_in_one_line() {
        let variables = [
            ("LOCUST_USERS", "9"),
            ("LOCUST_HOST", "http://a.test"),
            ("LOCUST_RUN_TIME", "1m"),
            ("LOCUST_MASTER_NODE_HOST", "m"),
            ("LOCUST_LOCUSTFILE", "locustfile.py"),
            ("SWARM_RUN_TIME", "2m"),
        ];
        let [Note::Warning(text)] = &notes(&["run"], &variables)[..] else { panic!("one line") };
        assert!(text.contains("from the environment: LOCUST_HOST, LOCUST_USERS ("), "{text}");
        assert!(text.contains("not understood: LOCUST_LOCUSTFILE"), "{text}");
        assert!(!text.contains("RUN_TIME") && !text.contains("NODE_HOST"), "{text}");
        assert!(matches!(&notes(&["run"], &variables[..2])[..], [Note::Info(_)]));
        assert_eq!(notes(&["check", "x.wasm"], &variables), []);
        // The demo server has a host and a port of its own.
        let cli = read(&["target"], &[("LOCUST_HOST", "http://a.test")]).expect("it is right");
        let Subcommand::Target(args) = cli.command else { panic!("{cli:?}") };
        assert_eq!(args.host, "127.0.0.1");
    }

    #[test]
    fn what_other_tools_call_otherwise_is_explained() {
        let cases: [(&[&str], &[&str]); 14] = [
            (&["run", "-f", "x.py"], &["-f", "swarm run locustfile.py"]),
            (&["-f", "x.py"], &["-f", "swarm run locustfile.py"]),
            (&["run", "--locustfile=x.py"], &["--locustfile", "swarm run locustfile.py"]),
            (&["run", "--html", "r.html"], &["--html", "--json-file", "--csv"]),
            (&["run", "--config", "x"], &["--config", "SWARM_USERS"]),
            (&["run", "--json"], &["--json", "--json-file"]),
            (&["run", "--master"], &["--master", "swarm master"]),
            (&["run", "--worker"], &["--worker", "swarm worker"]),
            (&["run", "--vus", "5"], &["--vus", "--users"]),
            (&["run", "-d", "5s"], &["-d", "--run-time"]),
            (&["run", "--expect-workers", "2"], &["--expect-workers", "`swarm master`"]),
            (&["run", "--tls-ca", "x"], &["--tls-ca", "`swarm master`", "`swarm worker`"]),
            (&["--headless"], &["--headless", "`swarm run`"]),
            (&["scenario.wasm"], &["scenario.wasm", "`swarm run scenario.wasm`"]),
        ];
        for (words, parts) in cases {
            fails(words, &[], parts);
            let error = read(words, &[]).unwrap_err();
            assert!(!error.contains("as a value"), "{words:?}:\n{error}");
        }
        fails(&["run", "--user", "5"], &[], &["--user", "'--users'"]);
        fails(&["run", "-u", "-5"], &[], &["invalid value '-5' for '--users", "from 1 to"]);
        fails(&["run", "-r", "-1"], &[], &["invalid value '-1' for '--spawn-rate", "above 0"]);
        fails(&["master"], &[], &["SCENARIO", "`swarm run`", "of its own"]);
    }

    #[test]
    fn ids_of_workers_are_checked() {
        fails(&["worker", "--id", ""], &[], &["--id", "must not be empty"]);
        fails(&["worker", "--id", "a\nb"], &[], &["--id", "control characters"]);
        fails(&["worker", "--id", &"x".repeat(300)], &[], &["--id", "at most"]);
        fails(&["worker"], &[("SWARM_WORKER_ID", "a\tb")], &["SWARM_WORKER_ID", "control"]);
    }

    /// A text without its line breaks.
    fn unwrapped(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_help_is_in_groups_names_variables_and_has_examples() {
        for name in ["run", "master", "worker"] {
            let help = read(&[name, "--help"], &[("SWARM_HOST", "http://secret.test")]);
            let help = unwrapped(&help.expect_err("help is no command line"));
            for part in ["Examples:", "Security:", "[env: SWARM_THREADS", "--loglevel"] {
                let there = help.contains(part) || name == "master" && part.contains("THREADS");
                assert!(there, "{name}: {part:?} is not in:\n{help}");
            }
            assert!(!help.contains("secret"), "a value of the environment is in:\n{help}");
        }
        let help = unwrapped(&read(&["run", "--help"], &[]).unwrap_err());
        for group in ["Load:", "Scenario:", "Web page:", "Results:", "Machine:"] {
            assert!(help.contains(group), "{group} is not in:\n{help}");
        }
    }
}
