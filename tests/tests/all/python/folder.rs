//! What of a script's folder goes with it.

use swarm_tests::{PATIENCE, Process, Swarm};

use super::command;
use crate::verdict::{SCENARIO, refused_as};

/// Prints what it finds beside itself when it is loaded.
const LISTS: &str = "\
import os
from locust import HttpUser, task

found = []
for folder, _, names in os.walk('/app'):
    found += [os.path.relpath(os.path.join(folder, name), '/app') for name in names]
print('found', ' '.join(sorted(found)), 'in all')

class U(HttpUser):
    @task
    def t(self):
        pass
";

/// Writes files into a folder of `swarm`, and returns it.
fn scripts(swarm: &Swarm, files: &[(&str, &str)]) -> std::path::PathBuf {
    let folder = swarm.folder().join("scripts");
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    folder
}

#[test]
fn what_an_ignore_file_names_stays_where_it_is() {
    let swarm = Swarm::new();
    let files = [
        ("locustfile.py", LISTS),
        ("users.csv", "ada"),
        ("results/old.csv", ""),
        ("shop/pages.py", ""),
        ("shop/pages.log", ""),
        (".env", "SECRET=1"),
        (".gitignore", "users.csv\n"),
        (".swarmignore", "/results/\n*.log\nsecrets\n"),
    ];
    let folder = scripts(&swarm, &files);
    std::os::unix::fs::symlink("/etc/hostname", folder.join("secrets")).expect("a link");
    let mut process = Process::spawn("check", command(&swarm, "check", &folder, &[]));
    let ended = process.wait(PATIENCE);
    let said = process.err.text();
    assert!(ended.success(), "{said}");
    assert!(said.contains("found locustfile.py shop/pages.py users.csv in all"), "{said}");
}

#[test]
fn an_ignore_file_that_cannot_be_used_is_told_with_its_place() {
    let cases = [
        ("*.log\n[z-a]\n", ".swarmignore, line 2, is no pattern: \"[z-a]\""),
        ("*.py\n", "excludes"),
        ("locustfile.*\n", "which is the script itself"),
    ];
    for (patterns, part) in cases {
        let swarm = Swarm::new();
        let folder = scripts(&swarm, &[("locustfile.py", LISTS), (".swarmignore", patterns)]);
        let arguments = ["--headless", "--host", "http://127.0.0.1:1"];
        let mut process = Process::spawn("run", command(&swarm, "run", &folder, &arguments));
        let code = process.wait(PATIENCE).code();
        refused_as(&process, code, &[&folder.display().to_string()], SCENARIO, &[part]);
    }
}

/// What `swarm check` says of a script beside these files, which it can be loaded with.
fn checked(files: &[(&str, &str)]) -> String {
    let swarm = Swarm::new();
    let folder = scripts(&swarm, files);
    let mut process = Process::spawn("check", command(&swarm, "check", &folder, &[]));
    let ended = process.wait(PATIENCE);
    assert!(ended.success(), "{}", process.err.text());
    process.err.text()
}

#[test]
fn packages_beside_the_script_are_used_without_their_machine_code() {
    let script = format!("from basket import total\nprint('total', total)\n{LISTS}");
    let said = checked(&[
        ("locustfile.py", &script),
        ("requirements.txt", "locust>=2\nbasket==1.0\nweather\n"),
        (
            "site-packages/basket/__init__.py",
            "try:\n    from ._fast import total\nexcept \
          ImportError:\n    total = 42\n",
        ),
        ("site-packages/basket/_fast.cpython-314-x86_64-linux-gnu.so", "\x7fELF"),
        ("site-packages/basket-1.0.dist-info/METADATA", "Name: basket\n"),
        ("site-packages/locust/__init__.py", "raise RuntimeError('another locust')"),
    ]);
    assert!(said.contains("total 42"), "{said}");
    assert!(said.contains("may fail to import: basket"), "{said}");
    assert!(said.contains("not beside the script: weather."), "{said}");
    assert!(said.contains("/site-packages weather`"), "{said}");
    let found = "found locustfile.py requirements.txt site-packages/basket-1.0.dist-info/METADATA \
                 site-packages/basket/__init__.py in all";
    assert!(said.contains(found), "{said}");
}

#[test]
fn requirements_that_are_met_or_ignored_are_not_told() {
    let met = [("locustfile.py", LISTS), ("requirements.txt", "locust\ngevent\n# weather\n")];
    assert!(!checked(&met).contains("requirements.txt lists"));
    let ignored = [
        ("locustfile.py", LISTS),
        ("requirements.txt", "weather\n"),
        (".swarmignore", "requirements.txt\n"),
    ];
    assert!(!checked(&ignored).contains("requirements.txt lists"));
}

/// As `cargo xtask dist` lays it out: nothing is there but the folder.
#[test]
fn a_program_finds_the_runtimes_beside_itself() {
    let swarm = Swarm::new();
    scripts(&swarm, &[("locustfile.py", LISTS)]);
    let files = swarm.folder().join("distributed");
    std::fs::create_dir(&files).expect("a folder");
    let program = files.join("swarm");
    std::fs::copy(swarm_tests::binary(), &program).expect("a copy");
    let runtime = swarm_tests::runtime("python");
    let runtimes = runtime.parent().expect("it is in a folder");
    std::os::unix::fs::symlink(runtimes, files.join("runtimes")).expect("a link");
    let known = command(&swarm, "check", &swarm.folder().join("scripts"), &[]);
    let mut alone = std::process::Command::new(&program);
    alone.args(known.get_args()).env_clear().current_dir(&files);
    alone.env("SWARM_CACHE_DIR", super::CACHE);
    let mut process = Process::spawn("check", alone);
    assert!(process.wait(PATIENCE).success(), "{}", process.err.text());
    assert!(process.err.text().contains("found locustfile.py in all"), "{}", process.err.text());
}

#[test]
fn a_script_that_is_no_text_is_told_with_its_line() {
    for (text, part) in
        [("x = 1\ny = '\0'\n", "line 2, has a zero byte"), ("x\0=\0", "line 1, has")]
    {
        let swarm = Swarm::new();
        let folder = scripts(&swarm, &[("locustfile.py", text)]);
        let arguments = ["--headless", "--host", "http://127.0.0.1:1"];
        let mut process = Process::spawn("run", command(&swarm, "run", &folder, &arguments));
        let code = process.wait(PATIENCE).code();
        let parts = [part, "save it as UTF-8"];
        refused_as(&process, code, &[&folder.display().to_string()], SCENARIO, &parts);
    }
}
