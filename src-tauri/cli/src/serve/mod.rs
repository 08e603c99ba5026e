//! `serve`: the window's pages and the api's commands over HTTP on the loopback interface.
//!
//! Any page in a browser, and any user of the machine, can reach a loopback port. So nothing but the pages themselves is
//! answered without the token, which only the person who started the program is shown; the `Host` header has to name this
//! address, so that a name that was pointed here does not help; and no other origin is answered.

mod events;
mod guard;
mod pages;

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use countersign_api::{ApiError, ErrorCode, Host, dispatch};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::args::Serve;
use crate::commands::answer;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::session::Session;
use crate::signals;
use guard::{Address, Token};
use pages::Pages;

/// Largest arguments that are read, in bytes. The longest there are, a reason, stay far below.
const MAX_ARGUMENTS: usize = 1024 * 1024;

/// What the handlers share.
struct Shared {
    host: Host,
    token: Token,
    address: Address,
    pages: Pages,
}

/// Where it is served.
#[derive(Serialize)]
struct Served {
    url: String,
    token: String,
    port: u16,
}

pub(crate) async fn serve(session: &Session, args: &Serve, output: &mut Output) -> Result<Exit, Failure> {
    let pages = Pages::open(args.ui.as_deref())?;
    if pages.are_missing() {
        output::note(pages::HOW_TO_BUILD);
    }
    let stop = signals::stop_asked()?;
    let cannot_listen = |error| {
        Failure::machine(format!("failed to listen on 127.0.0.1:{}: {error}", args.port))
            .hint("choose another port with --port, or leave it out for any free one")
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await.map_err(cannot_listen)?;
    let port = listener.local_addr().map_err(cannot_listen)?.port();
    let token = Token::new()?;
    let served = Served {
        url: format!("http://127.0.0.1:{port}/#token={}", token.as_str()),
        token: token.as_str().to_owned(),
        port,
    };
    let shared = Shared { host: session.host.clone(), token, address: Address::new(port), pages };
    let router = router(Arc::new(shared));
    let watching = session.engine().keep_watching();
    answer(output, &served, |served, _| format!("{}\n", served.url))?;
    let ended = tokio::select! {
        // Event streams never end by themselves, so nothing is waited for.
        () = stop => Ok(()),
        served = axum::serve(listener, router).into_future() => served,
    };
    watching.abort();
    ended.map_err(|error| Failure::machine(format!("failed to serve: {error}")))?;
    Ok(Exit::Done)
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/events", get(events::events))
        .route("/api/{command}", post(command))
        .fallback(get(pages::page))
        .layer(DefaultBodyLimit::max(MAX_ARGUMENTS))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), guard::guard))
        .with_state(shared)
}

async fn command(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    if !shared.token.is_borne_by(&headers) {
        return guard::no_token();
    }
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json"));
    if !is_json {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the arguments have to be application/json");
    }
    let args = match body {
        Ok(body) => serde_json::from_slice::<Value>(&body),
        Err(rejection) => return refuse(rejection.status(), &rejection.body_text()),
    };
    match args {
        Ok(args) => answered(run(shared.host.clone(), name, args).await),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &format!("the arguments are no JSON: {error}")),
    }
}

/// Runs on a task of its own: a browser that goes away does not cut a signature or a merge off in the middle.
async fn run(host: Host, name: String, args: Value) -> Result<Value, ApiError> {
    let running = tokio::spawn(async move { dispatch(&host, &name, args).await });
    running.await.unwrap_or_else(|_| Err(ApiError::bug("the command ended unexpectedly")))
}

fn answered(outcome: Result<Value, ApiError>) -> Response {
    match outcome {
        Ok(value) => (StatusCode::OK, axum::Json(value)).into_response(),
        Err(error) => (status(error.code), axum::Json(error)).into_response(),
    }
}

fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Usage => StatusCode::BAD_REQUEST,
        ErrorCode::GateClosed | ErrorCode::PlanStale | ErrorCode::Passphrase => StatusCode::CONFLICT,
        ErrorCode::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::ToolFailed | ErrorCode::Remote => StatusCode::BAD_GATEWAY,
        ErrorCode::Machine | ErrorCode::Bug => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A refusal of this server's own, in the shape of the api's errors.
fn refuse(status: StatusCode, message: &str) -> Response {
    let body = json!({ "code": "refused", "message": message, "kept": "nothing was changed", "hint": null });
    (status, axum::Json(body)).into_response()
}
