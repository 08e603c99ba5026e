//! Reading and grouping a plan of 3,004 changes, against parsing the same bytes into a plain JSON tree; and reading a
//! coloured log.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a benchmark stops at the first fault and prints")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use countersign_iac::{ansi, plan_json};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const CHANGES: usize = 3_004;

/// A plan as the tool writes it: values stand in `planned_values`, in `prior_state` and twice in `resource_changes`.
fn generated() -> String {
    let values = |number: usize, revision: usize| {
        format!(
            r#"{{"id":"00000000-0000-4000-8000-{number:012}","input":{{"doc":"{{\"arr\":[1,2],\"v\":{revision}}}","list":[1,{revision},3],"name":"svc-{number:04}","pw":"s3cr3t","rev":{revision},"tags":{{"a":"x","k/8s.io":"y{revision}"}}}},"triggers_replace":{revision}}}"#
        )
    };
    let marks = r#"{"input":{"list":[false,false,false],"pw":true,"tags":{}}}"#;
    let (mut planned, mut prior, mut changes) = (String::new(), String::new(), String::new());
    for number in 0..CHANGES {
        let (actions, before, after) = match number % 10 {
            0 => ("\"create\"", None, Some(2)),
            1 => ("\"delete\"", Some(1), None),
            2 => ("\"delete\",\"create\"", Some(1), Some(2)),
            3..=5 => ("\"update\"", Some(1), Some(2)),
            _ => ("\"no-op\"", Some(1), Some(1)),
        };
        let text = |side: Option<usize>| side.map_or("null".to_owned(), |revision| values(number, revision));
        let comma = if number == 0 { "" } else { "," };
        let head = format!(
            r#""address":"module.svc[\"svc-{number:04}\"].terraform_data.a","mode":"managed","type":"terraform_data","name":"a","provider_name":"terraform.io/builtin/terraform""#
        );
        let _ = write!(planned, r#"{comma}{{{head},"values":{},"sensitive_values":{marks}}}"#, text(after));
        let _ = write!(prior, r#"{comma}{{{head},"values":{},"sensitive_values":{marks}}}"#, text(before));
        let _ = write!(
            changes,
            r#"{comma}{{{head},"change":{{"actions":[{actions}],"before":{},"after":{},"after_unknown":{{"output":true}},"before_sensitive":{marks},"after_sensitive":{marks}}}}}"#,
            text(before),
            text(after)
        );
    }
    format!(
        r#"{{"format_version":"1.2","terraform_version":"1.11.4","planned_values":{{"root_module":{{"resources":[{planned}]}}}},"resource_changes":[{changes}],"prior_state":{{"values":{{"root_module":{{"resources":[{prior}]}}}}}}}}"#
    )
}

fn read_and_group(text: &str) -> usize {
    let plan = plan_json::read(text.as_bytes()).expect("a plan");
    black_box(plan.danger_first().len())
}

fn tree(text: &str) -> usize {
    let value: serde_json::Value = serde_json::from_slice(text.as_bytes()).expect("JSON");
    black_box(value.as_object().map_or(0, serde_json::Map::len))
}

fn median(mut run: impl FnMut() -> usize) -> Duration {
    let time = |_| {
        let start = Instant::now();
        black_box(run());
        start.elapsed()
    };
    let mut times: Vec<Duration> = (0..21).map(time).collect();
    times.sort();
    times[10]
}

fn plans(criterion: &mut Criterion) {
    let text = generated();
    let (ours, plain) = (median(|| read_and_group(&text)), median(|| tree(&text)));
    println!(
        "{CHANGES} changes in {} bytes: read and grouped in {ours:?}, plain JSON tree in {plain:?}, ratio {:.2}",
        text.len(),
        ours.as_secs_f64() / plain.as_secs_f64()
    );
    let mut group = criterion.benchmark_group("plan of 3,004 changes");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(30);
    group.bench_function("read and group", |bencher| bencher.iter(|| read_and_group(&text)));
    group.bench_function("view", |bencher| bencher.iter(|| plan_json::view(text.as_bytes()).expect("a plan")));
    group.bench_function("plain JSON tree", |bencher| bencher.iter(|| tree(&text)));
    group.finish();
}

fn logs(criterion: &mut Criterion) {
    let line = "\u{1b}[1m  # module.svc[\"svc-0001\"].terraform_data.chg\u{1b}[0m will be updated in-place\r\n      \u{1b}[33m~\u{1b}[0m\u{1b}[0m input  = {\n";
    let log = line.repeat(20_000);
    let mut group = criterion.benchmark_group("coloured log");
    group.throughput(Throughput::Bytes(log.len() as u64)).sample_size(20);
    group.bench_function("parse", |bencher| bencher.iter(|| ansi::parse(black_box(log.as_bytes())).len()));
    group.finish();
}

criterion_group!(benches, plans, logs);
criterion_main!(benches);
