//! Scripts that cannot be loaded are refused before anything starts, in words for their authors.

use std::path::Path;
use std::process::Command;

use swarm_tests::{Process, Swarm};

use super::command;
use crate::verdict::{SCENARIO, refused_as};

/// `swarm run` with this script, and `more` files beside it, is refused and says all of this.
#[track_caller]
fn refused(text: &str, more: &[(&str, &str)], parts: &[&str]) {
    let swarm = Swarm::new();
    for (name, text) in more {
        let path = swarm.folder().join("scripts").join(name);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let folder = swarm.folder().join("scripts");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("locustfile.py"), text).expect("a file");
    // By its folder: the file is the one that is run without being named.
    is_refused(&swarm, &folder, parts);
}

#[track_caller]
fn is_refused(swarm: &Swarm, script: &Path, parts: &[&str]) {
    let arguments = ["--headless", "--host", "http://127.0.0.1:1"];
    let mut process = Process::spawn("run", command(swarm, "run", script, &arguments));
    let code = process.wait(swarm_tests::PATIENCE).code();
    let named = script.display().to_string();
    refused_as(&process, code, &[&named], SCENARIO, parts);
    let said = process.err.text();
    assert!(!said.contains("/swarm/") && !said.contains("wasm backtrace"), "{said}");
}

const USER: &str = "from locust import HttpUser, task\n\nclass U(HttpUser):\n    @task\n    \
                    def t(self):\n        pass\n";

#[test]
fn a_syntax_error_is_shown_with_its_place() {
    refused(
        "def broken(:\n    pass\n",
        &[],
        &["/app/locustfile.py\", line 1", "def broken(:", "^", "SyntaxError: invalid syntax"],
    );
}

#[test]
fn a_syntax_error_in_an_imported_module_too() {
    refused(
        "import shop.pages\n",
        &[("shop/__init__.py", ""), ("shop/pages.py", "x = [1, 2\n")],
        &["/app/shop/pages.py\", line 1", "SyntaxError: '[' was never closed"],
    );
}

#[test]
fn an_exception_is_shown_with_the_lines_that_led_to_it() {
    refused(
        "import os\n\ndef host():\n    return os.environ['NO_SUCH_HOST']\n\nprint(host())\n",
        &[],
        &[
            "/app/locustfile.py\", line 6, in <module>",
            "/app/locustfile.py\", line 4, in host",
            "KeyError: 'NO_SUCH_HOST'",
        ],
    );
}

#[test]
fn a_module_that_is_missing_is_named_with_what_to_do() {
    refused(
        "import no_such_module\n",
        &[],
        &["No module named 'no_such_module'", "into the folder of the script"],
    );
    refused(
        "from locust import NoSuchUser\n",
        &[],
        &["ImportError: cannot import name 'NoSuchUser' from 'locust'"],
    );
}

#[test]
fn packages_of_machine_code_are_named_with_what_to_do() {
    for package in ["numpy", "psycopg2", "lxml.etree", "grpc", "ssl"] {
        let first = package.split('.').next().unwrap_or(package);
        let named = format!("No module named '{first}'");
        refused(&format!("import {package}\n"), &[], &[&named]);
    }
    refused("import numpy as np\n", &[], &["made of machine code"]);
}

#[test]
fn scripts_without_users_are_refused() {
    refused("", &[], &["No User class found"]);
    let none = "from locust import User\n\nclass U(User):\n    weight = 0\n";
    refused(none, &[], &["There are no users with weight > 0"]);
    let twice = "from locust import User\na = type('Same', (User,), {})\nb = type('Same', (User,), \
                 {})\n";
    refused(twice, &[], &["The following user classes have the same class name"]);
}

#[test]
fn load_shapes_are_refused_with_what_to_do() {
    let shape = "\nfrom locust import LoadTestShape\n\nclass Steps(LoadTestShape):\n    def \
                 tick(self):\n        return None\n";
    refused(&format!("{USER}{shape}"), &[], &["Steps: load shapes", "--spawn-rate"]);
}

#[test]
fn requests_need_a_test() {
    refused(
        "import requests\nrequests.get('http://127.0.0.1/')\n",
        &[],
        &["there is no test yet", "listener of `test_start`"],
    );
}

#[test]
fn a_script_that_exits_is_refused() {
    refused("import sys\nsys.exit('no licence')\n", &[], &["sys.exit('no licence')", "line 2"]);
    // Without an import: Python's module `site` makes it.
    refused("\nexit(4)\n", &[], &["sys.exit(4)", "line 2"]);
}

#[test]
fn a_script_without_end_is_refused() {
    refused("while True:\n    pass\n", &[], &["describe"]);
}

#[test]
fn a_script_that_is_not_there_is_named() {
    let swarm = Swarm::new();
    let file = swarm.folder().join("other.py");
    is_refused(&swarm, &file, &["there is no", "other.py"]);
    is_refused(&swarm, swarm.folder(), &["there is no", "locustfile.py"]);
}

#[test]
fn a_link_out_of_the_folder_is_refused() {
    let swarm = Swarm::new();
    let folder = swarm.folder().join("scripts");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("locustfile.py"), USER).expect("a file");
    std::os::unix::fs::symlink("/etc/hostname", folder.join("name")).expect("a link");
    is_refused(&swarm, &folder, &["name is a link to /etc/hostname", "put a copy there"]);
}

/// A program that has been put elsewhere, without what belongs beside it.
#[test]
fn a_program_without_a_runtime_says_how_to_get_it() {
    let swarm = Swarm::new();
    let program = swarm.folder().join("swarm");
    std::fs::copy(swarm_tests::binary(), &program).expect("a copy");
    let mut command = Command::new(&program);
    command.args(["check", "locustfile.py"]).current_dir(swarm.folder());
    std::fs::write(swarm.folder().join("locustfile.py"), USER).expect("a file");
    let mut process = Process::spawn("check", command);
    let code = process.wait(swarm_tests::PATIENCE).code();
    let parts = ["the runtime of Python is not there", "`cargo xtask runtimes`"];
    refused_as(&process, code, &["locustfile.py"], SCENARIO, &parts);
}
