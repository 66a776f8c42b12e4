//! Which path is what.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{MethodRouter, get, post};

use crate::assets::{ASSETS, INDEX};
use crate::guard::{self, Names};
use crate::live::{self, Live};
use crate::login::{self, Gate};
use crate::view::Control;
use crate::{command, error, read};

/// Everything that the server answers, under `base`: empty, or `/like/this`. With a `gate`, all
/// but the files of the page is for those who have logged in.
pub(crate) fn router(
    base: &str,
    control: &Control,
    live: Live,
    names: Names,
    gate: Option<Gate>,
) -> Router {
    let at = |path: &str| format!("{base}{path}");

    let changes = Router::new()
        .route(&at("/swarm"), post(command::swarm))
        .route(&at("/stop"), get_or_post(command::stop))
        .route(&at("/stats/reset"), get_or_post(command::reset))
        .with_state(control.clone())
        .route_layer(from_fn(guard::changes));

    let reads = Router::new()
        .route(&at("/stats/requests"), get(read::requests))
        .route(&at("/stats/requests/csv"), get(read::requests_csv))
        .route(&at("/stats/failures/csv"), get(read::failures_csv))
        .route(&at("/exceptions"), get(read::exceptions))
        .route(&at("/exceptions/csv"), get(read::exceptions_csv))
        .route(&at("/tasks"), get(read::tasks))
        .route(&at("/worker-count"), get(read::workers))
        .route(&at("/api/v1/view"), get(read::view))
        .with_state(control.clone())
        .merge(Router::new().route(&at("/api/v1/live"), get(live::live)).with_state(live))
        .route_layer(from_fn(guard::reads));

    let mut guarded = changes.merge(reads).merge(page(base));
    let mut open = files(base);
    if let Some(gate) = gate {
        guarded = guarded.route_layer(from_fn_with_state(gate.clone(), login::required));
        let form = get(login::form).route_layer(from_fn(guard::reads));
        let logout = post(login::logout).route_layer(from_fn(guard::changes));
        let login = post(login::login).route_layer(from_fn(guard::changes));
        let routes = Router::new()
            .route(&at("/login"), form.merge(login))
            .route(&at("/logout"), logout)
            .with_state(gate);
        open = open.merge(routes);
    }
    guarded
        .merge(open)
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(from_fn_with_state(names, guard::names))
        .layer(from_fn(guard::security_headers))
}

/// The page. Its links are relative, so `/base` must become `/base/`.
fn page(base: &str) -> Router {
    let mut router = Router::new();
    if !base.is_empty() {
        let page = format!("{base}/");
        router = router.route(base, get(move || async move { Redirect::permanent(&page) }));
    }
    let index = ASSETS.iter().find(|asset| asset.path == INDEX).expect("there is an index");
    router.route(&format!("{base}/"), get(move || async move { index.response() }))
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
