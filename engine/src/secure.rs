//! Who may come in and whom to trust, from flags, files and the environment: all of it read and
//! checked before a port is opened.

use std::fs::File;
use std::io::Read;
use std::net::ToSocketAddrs;
use std::path::Path;

use anyhow::{Context, anyhow};
use swarm_client::AllowList;
use swarm_node::master::Entry;
use swarm_node::worker::Trust;
use swarm_web::{HistoryFile, LoginToken, WebOptions};
use swarm_wire::Token;
use swarm_wire::tls::{Authorities, ClientTls, Identity, ServerTls, page_config};

use crate::cli::secure::{IdentityArgs, TrustArgs};
use crate::cli::{MasterArgs, TestArgs};
use crate::exit::{Exit, Failure, OrExit};
use crate::output;

/// Longest file with a token that is read, in bytes. A token is shorter.
const TOKEN_FILE_BYTES_MAX: u64 = 64 * 1024;

/// How the web page is offered; `None` when there is none.
pub(crate) fn page(args: &TestArgs) -> Result<Option<WebOptions>, Failure> {
    let flags = &args.page;
    let token = secret(flags.web_token_file.as_deref(), "--web-token-file", "SWARM_WEB_TOKEN")?;
    let login = token.map(|(text, whence)| {
        LoginToken::new(&text).or_exit(Exit::Settings, || format!("no token for the page {whence}"))
    });
    let login = login.transpose()?;
    let identity = identity(&flags.identity)?;
    if args.headless {
        return Ok(None);
    }
    let host = &args.web_host;
    let csv = args.csv.as_ref().filter(|_| args.csv_full_history);
    let options = WebOptions {
        base_path: flags.web_base_path.clone(),
        allowed_hosts: flags.web_allow_host.clone(),
        full_history: csv.map(|prefix| HistoryFile::new(output::history_path(prefix))),
        ..WebOptions::default()
    };
    if is_loopback(host, args.web_port) {
        return Ok(Some(WebOptions { login, ..options }));
    }
    if login.is_none() && !flags.web_no_login {
        return Err(Failure::new(
            Exit::Settings,
            anyhow!(
                "--web-host {host} opens the web page to other machines, and whoever can reach it \
                 could aim load at anybody: demand a login with --web-token-file FILE (or \
                 SWARM_WEB_TOKEN), or say --web-no-login if everybody there may use it"
            ),
        ));
    }
    let tls = identity.as_ref().map(page_config).transpose();
    let tls = tls.or_exit(Exit::Settings, || "set up TLS for the web page".to_owned())?;
    if tls.is_none() && login.is_some() {
        tracing::warn!(
            "the login of the web page crosses the network unencrypted: give --tls-cert and \
             --tls-key (`swarm certs` makes them)"
        );
    }
    Ok(Some(WebOptions { login, tls, ..options }))
}

/// What workers must have to join.
pub(crate) fn entry(args: &MasterArgs) -> Result<Entry, Failure> {
    let flags = &args.entry;
    let token = join_token(flags.token_file.as_deref())?;
    let authorities = authorities(flags.tls_ca.as_deref())?;
    let identity = identity(&args.test.page.identity)?;
    let tls = identity.map(|identity| ServerTls::new(&identity, authorities.as_ref())).transpose();
    let tls = tls.or_exit(Exit::Settings, || "set up TLS for workers".to_owned())?;
    let host = &args.master_bind_host;
    if is_loopback(host, args.master_bind_port) {
        return Ok(Entry { tls, token });
    }
    if token.is_none() && authorities.is_none() && !flags.master_no_auth {
        return Err(Failure::new(
            Exit::Settings,
            anyhow!(
                "--master-bind-host {host} opens the master to other machines, and whoever can \
                 reach it could join the test: demand a token with --token-file FILE (or \
                 SWARM_TOKEN), or certificates with --tls-cert, --tls-key and --tls-ca (`swarm \
                 certs` makes them), or say --master-no-auth if everybody there may join"
            ),
        ));
    }
    if tls.is_none() {
        tracing::warn!(
            "what master and workers say crosses the network unencrypted: give --tls-cert and \
             --tls-key (`swarm certs` makes them)"
        );
    }
    Ok(Entry { tls, token })
}

/// Which master a worker takes for its own.
pub(crate) fn trust(args: &TrustArgs, master_host: &str) -> Result<Trust, Failure> {
    let token = join_token(args.token_file.as_deref())?;
    let identity = identity(&args.identity)?;
    let name = args.tls_server_name.as_deref().unwrap_or(master_host);
    let tls = match authorities(args.tls_ca.as_deref())? {
        Some(authorities) => Some(ClientTls::new(&authorities, identity.as_ref(), name)),
        None if identity.is_some() => {
            let error = anyhow!(
                "--tls-cert is of no use without --tls-ca: say whose certificates masters must \
                 have"
            );
            return Err(Failure::new(Exit::Settings, error));
        }
        None => None,
    };
    let tls = tls.transpose().or_exit(Exit::Settings, || "set up TLS".to_owned())?;
    Ok(Trust { tls, token })
}

/// The only hosts that users of a worker may reach, if the operator gave some.
pub(crate) fn allow_only(args: &TrustArgs) -> Result<Option<AllowList>, Failure> {
    if args.allow_host.is_empty() {
        return Ok(None);
    }
    let mut list = AllowList::default();
    for entry in &args.allow_host {
        list.entry(entry).map_err(|error| Failure::new(Exit::Settings, error))?;
    }
    Ok(Some(list))
}

fn identity(args: &IdentityArgs) -> Result<Option<Identity>, Failure> {
    let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) else { return Ok(None) };
    let identity = Identity::read(certificate, key);
    identity.map(Some).or_exit(Exit::Settings, || "no use of --tls-cert and --tls-key".to_owned())
}

fn authorities(file: Option<&Path>) -> Result<Option<Authorities>, Failure> {
    let authorities = file.map(Authorities::read).transpose();
    authorities.or_exit(Exit::Settings, || "no use of --tls-ca".to_owned())
}

fn join_token(file: Option<&Path>) -> Result<Option<Token>, Failure> {
    let token = secret(file, "--token-file", "SWARM_TOKEN")?.map(|(text, whence)| {
        Token::new(&text).or_exit(Exit::Settings, || format!("no join token {whence}"))
    });
    token.transpose()
}

/// A secret and where it is from, of a file or of the environment.
fn secret(
    file: Option<&Path>,
    flag: &str,
    variable: &str,
) -> Result<Option<(Vec<u8>, String)>, Failure> {
    let given = std::env::var_os(variable).filter(|text| !text.is_empty());
    match (file, given) {
        (Some(_), Some(_)) => {
            let error = anyhow!("both {flag} and {variable} are given: which one is it?");
            Err(Failure::new(Exit::Settings, error))
        }
        (Some(file), None) => {
            let text = read(file).or_exit(Exit::Settings, || format!("no use of {flag}"))?;
            Ok(Some((text, format!("in {} ({flag})", file.display()))))
        }
        (None, Some(text)) => {
            Ok(Some((text.into_encoded_bytes(), format!("in the environment ({variable})"))))
        }
        (None, None) => Ok(None),
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(TOKEN_FILE_BYTES_MAX).read_to_end(&mut text))
        .with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text)
}

/// Can only this machine reach it? What cannot be resolved cannot be opened either.
fn is_loopback(host: &str, port: u16) -> bool {
    match (host, port).to_socket_addrs() {
        Ok(mut addresses) => addresses.all(|address| address.ip().is_loopback()),
        Err(_) => host != "*",
    }
}
