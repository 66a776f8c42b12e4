//! Flags that say who may come in, and whom to trust. Secrets are never on the command line, which
//! every user of the machine can read: they are in files, or in the environment.

use std::path::PathBuf;

use clap::Args;
use swarm_web::{BasePath, PublicName};

/// The certificate of this process.
#[derive(Debug, Clone, Args)]
pub(crate) struct IdentityArgs {
    /// Certificate in PEM form, with those that lead to its authority; `swarm certs` makes one.
    #[arg(long, env = "SWARM_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of the certificate in PEM form.
    #[arg(long, env = "SWARM_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Who may see and use the web page, for `run` and `master`. With --tls-cert a page that other
/// machines can reach is served over TLS.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// File with the token that the web page demands as a login; also SWARM_WEB_TOKEN with the
    /// token itself.
    #[arg(long, env = "SWARM_WEB_TOKEN_FILE", value_name = "FILE")]
    pub(crate) web_token_file: Option<PathBuf>,

    /// Open the web page to everybody who can reach --web-host, without a login.
    #[arg(long, env = "SWARM_WEB_NO_LOGIN", conflicts_with = "web_token_file")]
    pub(crate) web_no_login: bool,

    /// Names by which people reach the web page besides those of loopback, as their browsers show
    /// them: those of a proxy in front of it. Without a port the usual ones and --web-port count. A
    /// page that is open to other machines goes by no other name then.
    #[arg(long, env = "SWARM_WEB_ALLOW_HOST", value_delimiter = ',')]
    #[arg(value_name = "NAME[:PORT],...")]
    pub(crate) web_allow_host: Vec<PublicName>,

    /// Path under which people reach the web page, such as /load/test1, when a proxy gives it one.
    /// It does not matter whether the proxy takes the path away.
    #[arg(long, env = "SWARM_WEB_BASE_PATH", default_value = "", hide_default_value = true)]
    #[arg(value_name = "PATH")]
    pub(crate) web_base_path: BasePath,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

/// Which workers may join.
#[derive(Debug, Args)]
pub(crate) struct EntryArgs {
    /// File with the token that workers must know; also SWARM_TOKEN with the token itself.
    #[arg(long, env = "SWARM_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Authorities in PEM form: workers must have a certificate of one of them.
    #[arg(long, env = "SWARM_TLS_CA", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_ca: Option<PathBuf>,

    /// Let every worker join that can reach --master-bind-host.
    #[arg(long, env = "SWARM_MASTER_NO_AUTH")]
    #[arg(conflicts_with_all = ["token_file", "tls_ca"])]
    pub(crate) master_no_auth: bool,
}

/// Which master a worker takes orders from, and what they may be about.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// File with the token that the master has too; also SWARM_TOKEN with the token itself.
    #[arg(long, env = "SWARM_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Authorities in PEM form: the master must speak TLS with a certificate of one of them.
    #[arg(long, env = "SWARM_TLS_CA", value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    /// Name in the master's certificate. Default: --master-host.
    #[arg(long, env = "SWARM_TLS_SERVER_NAME", value_name = "NAME", requires = "tls_ca")]
    pub(crate) tls_server_name: Option<String>,

    /// The only hosts that users on this worker may reach, whatever the master says: its target
    /// and its own --allow-host count for nothing then.
    #[arg(long, env = "SWARM_WORKER_ALLOW_HOST", value_delimiter = ',')]
    #[arg(value_parser = super::values::item, value_name = "HOST[:PORT],...")]
    pub(crate) allow_host: Vec<String>,
}

/// `swarm certs`
#[derive(Debug, Args)]
pub(crate) struct CertsArgs {
    /// Folder to write to; it is made if need be.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Names and addresses by which workers dial the master, and browsers its page.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', required = true)]
    #[arg(value_parser = super::values::item)]
    pub(crate) master_host: Vec<String>,

    /// Days that the certificates of master and workers are valid.
    #[arg(long, default_value = "365", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,

    /// Replace what is there. Certificates of the authority that was there are worth nothing then.
    #[arg(long)]
    pub(crate) force: bool,
}
