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
