//! The real window, driven through WebDriver: it opens, shows the queue, and a change is read, signed and merged in it.
//!
//! Wants a display (`cargo xtask test` brings one) and Debian's `webkit2gtk-driver`.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use countersign_tests::prepared;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

/// The built window beside this test's own binary.
fn window_binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let dir = test.parent().and_then(Path::parent).unwrap();
    let binary = dir.join("countersign-desktop");
    assert!(binary.exists(), "{} is missing: `cargo xtask test` builds it", binary.display());
    binary
}

/// A WebDriver in a process group of its own, which ends with this value, the window included.
struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    fn start() -> Self {
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

    async fn open(&self, data_dir: &Path) -> Client {
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

async fn see(client: &Client, text: &str) {
    let path = format!("//*[contains(normalize-space(.), {text:?})]");
    let seen = client.wait().at_most(Duration::from_secs(30)).for_element(Locator::XPath(&path)).await;
    if seen.is_err() {
        let body = client.find(Locator::Css("body")).await.unwrap().text().await.unwrap();
        panic!("{text:?} is not in the window:\n{body}");
    }
}

async fn press(client: &Client, keys: &str) {
    client.active_element().await.unwrap().send_keys(keys).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_shows_the_queue_and_opens_the_sign_sheet_by_key() {
    let prepared = prepared().await.unwrap();
    let world = &prepared.demo.world;
    let driver = Driver::start();
    let client = driver.open(&world.you.data_dir).await;

    see(&client, "Needs my review").await;
    see(&client, "Run a third web replica in stage").await;
    see(&client, "Destroys and replacements").await;
    see(&client, "Gate closed").await;

    press(&client, "?").await;
    see(&client, "Keyboard").await;
    press(&client, &char::from(Key::Escape).to_string()).await;
    press(&client, "a").await;
    see(&client, "Sign approval").await;
    see(&client, "Still missing").await;
    press(&client, &char::from(Key::Escape).to_string()).await;

    // What the page may do is named: neither foreign code nor a foreign place is among it.
    let evaluated =
        client.execute("try { return Function('return 1')() } catch (error) { return error.name }", vec![]).await;
    assert_eq!(evaluated.unwrap(), json!("EvalError"));
    let fetched = "const done = arguments[0]; fetch('https://example.invalid/').then(() => done('fetched'), () => done('refused'))";
    assert_eq!(client.execute_async(fetched, vec![]).await.unwrap(), json!("refused"));

    client.close().await.unwrap();
}

/// Starts the window as a user does and reads what it says when there is no display.
#[test]
fn without_a_display_it_says_so() {
    let mut child = Command::new(window_binary())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let said: String = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok).collect();
    assert!(!child.wait().unwrap().success());
    assert!(said.contains("display"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
