//! How many tests passed, failed and were skipped, read from what each test runner reports.

use std::{fmt, ops::AddAssign};

use anyhow::{Context, Result};
use serde_json::Value;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// What a stage counts for that has no tests of its own and did not pass.
    pub(crate) const ONE_FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };

    pub(crate) fn total(self) -> u64 {
        self.passed + self.failed + self.skipped
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The last `Summary [ 1.2s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 3 skipped` of a nextest run.
pub(crate) fn nextest(output: &str) -> Option<Counts> {
    let line = output.lines().rfind(|line| line.trim_start().starts_with("Summary ["))?;
    let (_, list) = line.split_once("run: ")?;
    let mut counts = Counts::default();
    for part in without_parentheses(list).split(',') {
        let Some((number, word)) = part.trim().split_once(' ') else { continue };
        let number: u64 = number.parse().ok()?;
        match word.trim() {
            "passed" => counts.passed += number,
            "skipped" => counts.skipped += number,
            // Timed out, failed to start, leaked in a way that fails: none of them is a pass.
            _ => counts.failed += number,
        }
    }
    Some(counts)
}

/// The sum of every `test result: ok. 3 passed; 0 failed; 1 ignored; …` line that cargo's own runner prints.
pub(crate) fn cargo_test(output: &str) -> Option<Counts> {
    let mut sum: Option<Counts> = None;
    for line in output.lines() {
        let Some(list) = line.trim_start().strip_prefix("test result: ") else { continue };
        let counts = sum.get_or_insert_default();
        for part in list.split(['.', ';']) {
            let Some((number, word)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match word {
                "passed" => counts.passed += number,
                "failed" => counts.failed += number,
                "ignored" => counts.skipped += number,
                _ => {}
            }
        }
    }
    sum
}

/// The report of vitest's `json` reporter.
pub(crate) fn vitest(report: &str) -> Result<Counts> {
    let report: Value = serde_json::from_str(report).context("failed to read vitest's report as JSON")?;
    let number = |name: &str| {
        report.get(name).and_then(Value::as_u64).with_context(|| format!("failed to find {name} in vitest's report"))
    };
    Ok(Counts {
        passed: number("numPassedTests")?,
        failed: number("numFailedTests")?,
        skipped: number("numPendingTests")? + number("numTodoTests").unwrap_or(0),
    })
}

/// The report of Playwright's `json` reporter. A test that passed only when tried again counts as passed.
pub(crate) fn playwright(report: &str) -> Result<Counts> {
    let report: Value = serde_json::from_str(report).context("failed to read Playwright's report as JSON")?;
    let number = |name: &str| {
        let value = report.pointer(&format!("/stats/{name}")).and_then(Value::as_u64);
        value.with_context(|| format!("failed to find stats.{name} in Playwright's report"))
    };
    Ok(Counts {
        passed: number("expected")? + number("flaky")?,
        failed: number("unexpected")?,
        skipped: number("skipped")?,
    })
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn reads_nextest() {
        let cases = [
            ("     Summary [   0.003s] 3 tests run: 3 passed, 0 skipped\n", counts(3, 0, 0)),
            (
                "Summary [  12.5s] 20 tests run: 15 passed (2 slow, 1 flaky), 3 failed (1 due to being leaky), 1 timed out, 1 exec failed, 4 skipped",
                counts(15, 5, 4),
            ),
            ("Summary [   1.0s] 2/9 tests run: 1 passed, 1 failed, 0 skipped", counts(1, 1, 0)),
            ("Summary [   0.1s] 1 test run: 1 passed, 12 skipped", counts(1, 0, 12)),
            (
                "Summary [ 1s] 1 test run: 0 passed, 1 failed, 0 skipped\nSummary [ 2s] 1 test run: 1 passed, 0 skipped",
                counts(1, 0, 0),
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(nextest(text), Some(wanted), "{text:?}");
        }
        assert_eq!(nextest("error: could not compile"), None);
    }

    #[test]
    fn adds_up_cargo_test() {
        let text = "running 3 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n\
                    test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.20s\n";
        assert_eq!(cargo_test(text), Some(counts(6, 2, 1)));
        assert_eq!(cargo_test("error[E0425]: cannot find value"), None);
    }

    #[test]
    fn reads_vitest() {
        let text = r#"{"numTotalTests":7,"numPassedTests":4,"numFailedTests":1,"numPendingTests":1,"numTodoTests":1,"success":false}"#;
        assert_eq!(vitest(text).unwrap(), counts(4, 1, 2));
        assert!(vitest("{}").is_err());
        assert!(vitest("").is_err());
    }

    #[test]
    fn reads_playwright() {
        let text = r#"{"suites":[],"stats":{"duration":1.5,"expected":5,"skipped":2,"unexpected":1,"flaky":1}}"#;
        assert_eq!(playwright(text).unwrap(), counts(6, 1, 2));
        assert!(playwright(r#"{"stats":{"expected":5}}"#).is_err());
    }

    #[test]
    fn the_last_line_has_its_fixed_form() {
        assert_eq!(counts(12, 0, 3).to_string(), "12 passed, 0 failed, 3 skipped");
    }
}
