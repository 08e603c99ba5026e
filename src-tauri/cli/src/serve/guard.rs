//! Who is answered: the token, the `Host` and `Origin` headers, and the headers every answer carries.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq as _;

use super::{Shared, refuse};
use crate::failure::Failure;

/// The same policy as the window's, with this server in the place of its commands.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self'; worker-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; object-src 'none'";

/// 256 random bits that stand for the person who started the server.
pub(super) struct Token(String);

impl Token {
    pub(super) fn new() -> Result<Self, Failure> {
        let half = || countersign_seal::nonce().map_err(|error| Failure::machine(error.to_string()));
        Ok(Self(format!("{}{}", half()?, half()?)))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Compared in a time that tells nothing of where the two differ.
    pub(super) fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }

    pub(super) fn is_borne_by(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        given.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|token| self.is(token))
    }
}

/// The answer to whoever lacks the token.
pub(super) fn no_token() -> Response {
    refuse(StatusCode::UNAUTHORIZED, "the token is missing or wrong; open the whole address that was printed")
}

/// What this server is called.
pub(super) struct Address {
    hosts: [String; 2],
}

impl Address {
    pub(super) fn new(port: u16) -> Self {
        let named = |name: &str| if port == 80 { name.to_owned() } else { format!("{name}:{port}") };
        Self { hosts: [named("127.0.0.1"), named("localhost")] }
    }

    fn is_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    fn is_origin(&self, origin: &str) -> bool {
        origin.strip_prefix("http://").is_some_and(|host| self.is_host(host))
    }
}

/// Lets only requests to this very address pass, from its own pages or from no page, and puts the headers on answers.
pub(super) async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&shared.address, request.headers()) {
        Some(refused) => refused,
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refusal(address: &Address, headers: &HeaderMap) -> Option<Response> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let mut hosts = headers.get_all(HOST).iter().map(text);
    let is_ours = hosts.next().is_some_and(|host| address.is_host(&host)) && hosts.next().is_none();
    if !is_ours {
        return Some(refuse(StatusCode::MISDIRECTED_REQUEST, "this server answers to 127.0.0.1 and localhost only"));
    }
    let is_foreign = headers.get_all(ORIGIN).iter().map(text).any(|origin| !address.is_origin(&origin));
    is_foreign.then(|| refuse(StatusCode::FORBIDDEN, "other pages are not answered"))
}

const HEADERS: [(HeaderName, &str); 9] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    // Plans and statements do not belong into a browser's cache.
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_address_is_ours() {
        let address = Address::new(4000);
        for host in ["127.0.0.1:4000", "localhost:4000", "LOCALHOST:4000"] {
            assert!(address.is_host(host), "{host}");
        }
        for host in
            ["127.0.0.1", "127.0.0.1:4001", "evil.example:4000", "localhost.evil.example:4000", "", "[::1]:4000"]
        {
            assert!(!address.is_host(host), "{host}");
        }
        assert!(address.is_origin("http://localhost:4000"));
        for origin in ["null", "https://localhost:4000", "http://localhost:4001", "http://evil.example"] {
            assert!(!address.is_origin(origin), "{origin}");
        }
    }

    #[test]
    fn a_token_is_long_new_and_compared_whole() {
        let token = Token::new().unwrap();
        assert_eq!(token.as_str().len(), 64);
        assert_ne!(token.as_str(), Token::new().unwrap().as_str());
        assert!(token.is(token.as_str()));
        assert!(!token.is("") && !token.is(&token.as_str()[..63]) && !token.is(&"0".repeat(64)));
    }
}
