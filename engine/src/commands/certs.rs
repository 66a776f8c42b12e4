//! `swarm certs`: a private authority, and certificates for a master and its workers.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use crate::cli::secure::CertsArgs;
use crate::exit::{Exit, Failure, OrExit};
use crate::output;

/// How long the authority is valid. It outlives every certificate that it has signed.
const AUTHORITY_DAYS: i64 = 3_660;

/// Certificates are valid from this long before they are made: clocks differ.
const SKEW: Duration = Duration::days(1);

/// A file to write, and whether others may read it.
struct Made {
    name: &'static str,
    text: String,
    secret: bool,
}

pub(crate) fn run(args: &CertsArgs) -> Result<Exit, Failure> {
    let now = OffsetDateTime::now_utc();
    let files = make(args, now).map_err(|error| Failure::new(Exit::Settings, error))?;
    write(&args.out, &files, args.force)?;
    output::answer(&said(args, now))?;
    Ok(Exit::Success)
}

fn make(args: &CertsArgs, now: OffsetDateTime) -> anyhow::Result<Vec<Made>> {
    let until = now + Duration::days(args.days.into());
    let authority_key = KeyPair::generate().context("make a key")?;
    let mut params = CertificateParams::new(Vec::new())?;
    // Each its own name: one that was made again is not taken for the one before.
    let name = format!("swarm authority of {}", now.unix_timestamp());
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (now - SKEW, now + Duration::days(AUTHORITY_DAYS));
    let authority = params.self_signed(&authority_key).context("make the authority")?;
    let authority_key_pem = authority_key.serialize_pem();
    let issuer = Issuer::new(params, authority_key);

    let leaf = |name: &str, names: &[String], usage: ExtendedKeyUsagePurpose| {
        let key = KeyPair::generate().context("make a key")?;
        let mut params = CertificateParams::new(names)
            .with_context(|| format!("--master-host {}", names.join(",")))?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = (now - SKEW, until);
        let certificate = params.signed_by(&key, &issuer).context("make a certificate")?;
        anyhow::Ok((certificate.pem(), key.serialize_pem()))
    };
    let names = host_names(&args.master_host)?;
    let (master, master_key) = leaf(&names[0], &names, ExtendedKeyUsagePurpose::ServerAuth)?;
    let (worker, worker_key) = leaf("swarm worker", &[], ExtendedKeyUsagePurpose::ClientAuth)?;
    let made = |name, text, secret| Made { name, text, secret };
    Ok(vec![
        made("ca.pem", authority.pem(), false),
        made("ca-key.pem", authority_key_pem, true),
        made("master.pem", master, false),
        made("master-key.pem", master_key, true),
        made("worker.pem", worker, false),
        made("worker-key.pem", worker_key, true),
    ])
}

/// The names as they stand in a certificate: hosts and addresses, no URLs, no ports.
fn host_names(given: &[String]) -> anyhow::Result<Vec<String>> {
    let names = given.iter().map(|name| {
        let name = name.trim();
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        match swarm_wire::tls::is_name(bare) {
            true => Ok(bare.to_owned()),
            false => Err(anyhow!(
                "--master-host {name:?} is neither a host name nor an address: write NAME or IP, \
                 several with commas"
            )),
        }
    });
    names.collect()
}

/// Writes all files or, if one is there already and must not be replaced, none.
fn write(folder: &Path, files: &[Made], force: bool) -> Result<(), Failure> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.or_exit(Exit::Output, || format!("cannot make the folder {} (--out)", folder.display()))?;
    let path = |file: &Made| folder.join(file.name);
    if let Some(there) = files.iter().map(path).find(|path| !force && path.exists()) {
        let error = anyhow!(
            "{} is there already, and what was made with it would be worth nothing: choose \
             another --out, or say --force",
            there.display()
        );
        return Err(Failure::new(Exit::Output, error));
    }
    for file in files {
        let path = path(file);
        let written = write_new(&path, file);
        written.or_exit(Exit::Output, || format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A key is nobody else's from the first moment on, also where an open file was before.
fn write_new(path: &PathBuf, file: &Made) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mode = if file.secret { 0o600 } else { 0o644 };
    let mut created = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    created.write_all(file.text.as_bytes())?;
    created.sync_all()
}

fn said(args: &CertsArgs, now: OffsetDateTime) -> String {
    let until = (now + Duration::days(args.days.into())).date();
    let folder = args.out.display();
    let host = args.master_host[0].trim();
    format!(
        "Certificates for {} and for workers are in {folder}, valid until {until}.\n\
         Whoever has ca-key.pem can make more of them: keep it where it was made, or delete it.\n\
         \n\
         On the master:\n\
         \n    swarm master SCENARIO.wasm --master-bind-host 0.0.0.0 \\\n        \
         --tls-cert {folder}/master.pem --tls-key {folder}/master-key.pem \\\n        \
         --tls-ca {folder}/ca.pem\n\
         \n\
         On each worker, with ca.pem, worker.pem and worker-key.pem:\n\
         \n    swarm worker --master-host {host} --tls-ca ca.pem \\\n        \
         --tls-cert worker.pem --tls-key worker-key.pem\n",
        args.master_host.join(", "),
    )
}
