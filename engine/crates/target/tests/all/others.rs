//! Other people's clients agree with what the target says and counts.

use std::process::{Command, Stdio};

use crate::common::{counts_until, target};

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("this test needs {program}: {error}"));
    let (out, err) = (&output.stdout, &output.stderr);
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(err));
    String::from_utf8(out.clone()).unwrap()
}

#[test]
fn curl_follows_redirects_and_keeps_its_connection() {
    let target = target(1);
    let url = format!("http://{}/redirect/5", target.local_addr());
    let format = "%{http_code} %{num_redirects} %{num_connects}";
    let page = run("curl", &["-sS", "-L", "-o", "/dev/null", "-w", format, &url]);
    assert_eq!(page, "200 5 1");
    assert_eq!(target.counts().total, 6);
}

#[test]
fn curl_posts_a_large_body_after_asking() {
    let target = target(1);
    let url = format!("http://{}/echo", target.local_addr());
    // This file: cargo runs tests in the directory of the package.
    let (body, source) = ("@tests/all/others.rs", include_str!("others.rs"));
    let ask = ["-sS", "-H", "Expect: 100-continue", "--expect100-timeout", "30"];
    for coding in ["X-Coding: none", "Transfer-Encoding: chunked"] {
        let last = ["-H", coding, "--data-binary", body, url.as_str()];
        assert_eq!(run("curl", &[&ask[..], &last[..]].concat()), source, "{coding}");
    }
    assert_eq!(target.counts().paths["/echo"], 2);
}

#[test]
fn curl_logs_in_with_its_own_cookies() {
    let target = target(2);
    let base = format!("http://{}", target.local_addr());
    let (login, cart) = (format!("{base}/login"), format!("{base}/cart"));
    let jar = format!("{}/curl-cookies", env!("CARGO_TARGET_TMPDIR"));
    run("curl", &["-sSf", "-c", &jar, "-d", "username=ann&password=swarm", &login]);
    let answer = run("curl", &["-sSf", "-b", &jar, "--json", r#"{"item":13}"#, &cart]);
    assert_eq!(answer, r#"{"items":1}"#);
}

#[test]
fn curl_names_the_faults() {
    let target = target(1);
    // Exit codes: 1 unsupported protocol (not HTTP), 52 empty reply, 56 failure in receiving.
    for (path, codes) in [("/close", [52, 52]), ("/reset", [56, 56]), ("/garbage", [1, 8])] {
        let url = format!("http://{}{path}", target.local_addr());
        let status = Command::new("curl").args(["-sS", "-o", "/dev/null", &url]).output().unwrap();
        let code = status.status.code().unwrap();
        assert!(codes.contains(&code), "{path}: {code}");
    }
}

#[test]
fn python_reads_every_route() {
    let script = r#"
import http.client, json, sys
c = http.client.HTTPConnection(sys.argv[1], timeout=60)
def ask(method, path, body=None, headers={}, **more):
    c.request(method, path, body, headers, **more)
    r = c.getresponse()
    return r.status, r.read(), r.headers
assert ask('GET', '/')[0] == 200
assert ask('HEAD', '/bytes/1000')[1] == b''
assert ask('GET', '/bytes/1000000')[1] == b'x' * 1000000
for status in range(200, 600):
    assert ask('GET', f'/status/{status}')[0] == status
s, body, headers = ask('POST', '/echo', iter([b'ab', b'c' * 70000]), {'Content-Type': 'a/b'},
                       encode_chunked=True)
assert (s, body, headers['Content-Type']) == (200, b'ab' + b'c' * 70000, 'a/b')
s, body, headers = ask('POST', '/login', json.dumps({'username': 'a', 'password': 'swarm'}),
                       {'Content-Type': 'application/json'})
token = json.loads(body)['token']
s, body, headers = ask('POST', '/cart', '{"item": 1}', {'Authorization': 'Bearer ' + token})
assert (s, json.loads(body)) == (200, {'items': 1})
print(json.loads(ask('GET', '/counts')[1])['total'])
"#;
    let target = target(1);
    let total = run("python3", &["-c", script, &target.local_addr().to_string()]);
    assert_eq!(total.trim(), "406");
    let counts = counts_until(&target, "python leaves", |counts| counts.open == 0);
    assert_eq!((counts.total, counts.connections, counts.bad_requests), (406, 1, 0));
}
