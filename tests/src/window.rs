//! The real window behind Debian's `WebKitWebDriver`.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

/// The built window beside this test's own binary.
pub fn window_binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let dir = test.parent().and_then(Path::parent).unwrap();
    let binary = dir.join("countersign-desktop");
    assert!(binary.exists(), "{} is missing: `cargo xtask test` builds it", binary.display());
    binary
}

/// A WebDriver in a process group of its own, which ends with this value, the window included.
pub struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new("WebKitWebDriver")
            .arg(format!("--port={port}"))
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("WebKitWebDriver runs");
        Self { process, port }
    }

    /// Opens the window on a data directory.
    pub async fn open(&self, data_dir: &Path) -> Client {
        let options = json!({ "binary": window_binary(), "args": ["--data-dir", data_dir] });
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("webkitgtk:browserOptions".to_owned(), options);
        let address = format!("http://127.0.0.1:{}", self.port);
        let mut last = None;
        for _ in 0..100 {
            match ClientBuilder::new(HttpConnector::new()).capabilities(capabilities.clone()).connect(&address).await {
                Ok(client) => return client,
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no window: {last:?}");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let _ = self.process.wait();
    }
}

/// Waits until the window shows a text.
pub async fn see(client: &Client, text: &str) {
    let path = format!("//*[contains(normalize-space(.), {text:?})]");
    let seen = client.wait().at_most(Duration::from_secs(30)).for_element(Locator::XPath(&path)).await;
    if seen.is_err() {
        let body = client.find(Locator::Css("body")).await.unwrap().text().await.unwrap();
        panic!("{text:?} is not in the window:\n{body}");
    }
}

/// Waits until the window no longer shows a text.
pub async fn see_no_more(client: &Client, text: &str) {
    let path = format!("//body[not(contains(normalize-space(.), {text:?}))]");
    let gone = client.wait().at_most(Duration::from_secs(30)).for_element(Locator::XPath(&path)).await;
    assert!(gone.is_ok(), "{text:?} stays in the window");
}
