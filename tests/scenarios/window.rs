//! The real window, driven through WebDriver: it opens, shows the queue, and a change is read, signed and merged in it.
//!
//! Wants a display (`cargo xtask test` brings one) and Debian's `webkit2gtk-driver`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use countersign_tests::prepared;
use countersign_tests::window::{Driver, see, see_no_more, window_binary};
use fantoccini::Client;
use fantoccini::key::Key;
use serde_json::json;

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
    see(&client, "Keys that work here and now").await;
    press(&client, &char::from(Key::Escape).to_string()).await;
    see_no_more(&client, "Keys that work here and now").await;
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
