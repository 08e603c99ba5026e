//! The engine's events as a stream that a browser reads.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;

use super::{Shared, guard};

/// A browser's event stream can send no header, so the token stands in the address.
#[derive(Deserialize)]
pub(super) struct Asked {
    token: Option<String>,
}

pub(super) async fn events(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Response {
    if !asked.token.is_some_and(|token| shared.token.is(&token)) {
        return guard::no_token();
    }
    let events = BroadcastStream::new(shared.host.engine.events());
    // A page that lagged behind and missed events is cut off: it connects anew and then asks for everything again.
    let messages = events
        .take_while(|event| futures::future::ready(event.is_ok()))
        .filter_map(|event| futures::future::ready(event.ok()))
        .filter_map(|event| futures::future::ready(Event::default().json_data(countersign_api::message(event)).ok()))
        .map(Ok::<_, Infallible>);
    let hello = futures::stream::once(futures::future::ready(Ok(Event::default().comment("connected"))));
    Sse::new(hello.chain(messages)).keep_alive(KeepAlive::default()).into_response()
}
