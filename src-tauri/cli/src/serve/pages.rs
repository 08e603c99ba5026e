//! The window's pages: built into the program, or from a directory.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;

use super::Shared;
use crate::failure::Failure;

/// What to do when there are no pages.
pub(super) const HOW_TO_BUILD: &str = "The window's pages are not in this program. Build them with \
    `npm --prefix ui ci` and `npm --prefix ui run build` and build this program again, or serve them with --ui ui/dist.";

const INDEX: &str = "index.html";

/// Everything the UI's build wrote. A debug build of this program reads the files when they are asked for.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../ui/dist"]
#[allow_missing = true]
struct Built;

/// Where pages come from.
pub(super) enum Pages {
    Built,
    Directory(PathBuf),
}

impl Pages {
    pub(super) fn open(dir: Option<&Path>) -> Result<Self, Failure> {
        let Some(dir) = dir else { return Ok(Self::Built) };
        let root = dir.canonicalize().ok().filter(|root| root.join(INDEX).is_file());
        let none = || {
            Failure::usage(format!("there is no {INDEX} in {}", dir.display()))
                .hint("build the pages with `npm --prefix ui run build`")
        };
        root.map(Self::Directory).ok_or_else(none)
    }

    pub(super) fn are_missing(&self) -> bool {
        self.read(INDEX).is_none()
    }

    /// The file of this path, which stays below the root: links that lead out of it are not followed.
    fn read(&self, path: &str) -> Option<Cow<'static, [u8]>> {
        let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain || path.is_empty() {
            return None;
        }
        match self {
            Self::Built => Built::get(path).map(|file| file.data),
            Self::Directory(root) => {
                let file =
                    root.join(path).canonicalize().ok().filter(|file| file.starts_with(root) && file.is_file())?;
                std::fs::read(file).ok().map(Cow::Owned)
            }
        }
    }
}

pub(super) async fn page(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let path = match uri.path() {
        "/" => INDEX,
        path => path.trim_start_matches('/'),
    };
    // Nothing the build writes has a name that needs escapes in an address.
    match (shared.pages.read(path), path) {
        (Some(bytes), _) => ([(CONTENT_TYPE, kind(path))], bytes).into_response(),
        (None, INDEX) => (StatusCode::SERVICE_UNAVAILABLE, HOW_TO_BUILD).into_response(),
        (None, _) => (StatusCode::NOT_FOUND, "there is no such page").into_response(),
    }
}

fn kind(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
