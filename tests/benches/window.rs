//! From starting the window to a usable queue, as a ratio to starting it on an empty data directory: what the queue itself
//! costs beside the webview.
//!
//! Wants a display and the window built beside this benchmark (`cargo xtask bench` sees to both).
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "the numbers are the result, and what fails ends it")]

use std::path::Path;
use std::time::{Duration, Instant};

use countersign_tests::prepared;
use countersign_tests::window::{Driver, see};

const ROUNDS: usize = 5;

async fn start_until(data_dir: &Path, text: &str) -> Duration {
    let driver = Driver::start();
    let begin = Instant::now();
    let client = driver.open(data_dir).await;
    see(&client, text).await;
    let took = begin.elapsed();
    client.close().await.unwrap();
    took
}

async fn median(data_dir: &Path, text: &str) -> f64 {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(start_until(data_dir, text).await.as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

#[tokio::main]
async fn main() {
    let prepared = prepared().await.unwrap();
    let empty = tempfile::tempdir().unwrap();
    let first = median(empty.path(), "Countersign").await;
    let queue = median(&prepared.demo.world.you.data_dir, "Run a third web replica in stage").await;
    println!("window to first page: {first:.3} s; to a usable queue: {queue:.3} s; ratio {:.2}", queue / first);
}
