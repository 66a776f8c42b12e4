//! Which path is what.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{MethodRouter, get, post};

use crate::assets::{ASSETS, INDEX};
use crate::guard::{self, Names};
use crate::history::{self, HistoryFile};
use crate::live::{self, Live};
use crate::login::{self, Gate};
use crate::view::Control;
use crate::{command, error, read};

/// What the paths need.
pub(crate) struct Parts {
    pub(crate) control: Control,
    pub(crate) live: Live,
    /// The statistics over time, when they have all names.
    pub(crate) history: Option<HistoryFile>,
    pub(crate) names: Names,
    /// With one, all but the files of the page is for those who have logged in.
    pub(crate) gate: Option<Gate>,
}

/// Everything that the server answers, at the root and under `base`, which is empty or
/// `/like/this`: a proxy may take the path away, or leave it.
pub(crate) fn router(base: &str, parts: &Parts) -> Router {
    let mut router = site("", parts);
    if !base.is_empty() {
        // The page's links are relative, so `/base` must become `/base/`.
        let page = format!("{base}/");
        let redirect = get(move || async move { Redirect::permanent(&page) });
        router = router.merge(site(base, parts)).route(base, redirect);
    }
    router
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(from_fn_with_state(parts.names.clone(), guard::names))
        .layer(from_fn(guard::security_headers))
}

/// The paths under `base`.
fn site(base: &str, parts: &Parts) -> Router {
    let Parts { control, live, history: file, names, gate } = parts;
    let at = |path: &str| format!("{base}{path}");
    let changing = || from_fn_with_state(names.clone(), guard::changes);
    let reading = || from_fn_with_state(names.clone(), guard::reads);

    let changes = Router::new()
        .route(&at("/swarm"), post(command::swarm))
        .route(&at("/stop"), get_or_post(command::stop))
        .route(&at("/stats/reset"), get_or_post(command::reset))
        .with_state(control.clone())
        .route_layer(changing());

    let reads = Router::new()
        .route(&at("/stats/requests"), get(read::requests))
        .route(&at("/stats/requests/csv"), get(read::requests_csv))
        .route(&at("/stats/failures/csv"), get(read::failures_csv))
        .route(&at("/exceptions"), get(read::exceptions))
        .route(&at("/exceptions/csv"), get(read::exceptions_csv))
        .route(&at("/tasks"), get(read::tasks))
        .route(&at("/worker-count"), get(read::workers))
        .route(&at("/api/v1/view"), get(read::view))
        .route(&at("/stats/report"), get(error::no_report))
        .route(&at("/logs"), get(error::no_logs))
        .with_state(control.clone())
        .merge(Router::new().route(&at("/api/v1/live"), get(live::live)).with_state(live.clone()))
        .merge(
            Router::new()
                .route(&at("/stats/requests_full_history/csv"), get(history::history_csv))
                .with_state((control.clone(), file.clone())),
        )
        .route_layer(reading());

    let mut guarded = changes.merge(reads).merge(page(base));
    let mut open = files(base);
    if let Some(gate) = gate {
        guarded = guarded.route_layer(from_fn_with_state(gate.clone(), login::required));
        let form = get(login::form).route_layer(reading());
        let logout = post(login::logout).route_layer(changing());
        let login = post(login::login).route_layer(changing());
        let routes = Router::new()
            .route(&at("/login"), form.merge(login))
            .route(&at("/logout"), logout)
            .with_state(gate.clone());
        open = open.merge(routes);
    }
    guarded.merge(open)
}

/// The page.
fn page(base: &str) -> Router {
    let index = ASSETS.iter().find(|asset| asset.path == INDEX).expect("there is an index");
    Router::new().route(&format!("{base}/"), get(move || async move { index.response() }))
}

/// Its files.
fn files(base: &str) -> Router {
    let files = ASSETS.iter().filter(|asset| asset.path != INDEX);
    files.fold(Router::new(), |router, asset| {
        let path = format!("{base}/{}", asset.path);
        router.route(&path, get(move || async move { asset.response() }))
    })
}

fn get_or_post<H, T>(handler: H) -> MethodRouter<Control>
where
    H: Handler<T, Control>,
    T: 'static,
{
    get(handler.clone()).post(handler)
}
