//! From bytes to text: UTF-8 or UTF-16, with or without a byte order mark.
//!
//! A plan redirected into a file by an older PowerShell is UTF-16.

use std::borrow::Cow;

use super::{MAX_PLAN_BYTES, PlanError};

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, PlanError> {
    let size = bytes.len() as u64;
    if size > MAX_PLAN_BYTES {
        return Err(PlanError::TooLarge { bytes: size, limit: MAX_PLAN_BYTES });
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(PlanError::NotJson { found: "it is the tool's own plan file, not its JSON", line: 1, column: 1 });
    }
    let text = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest)?,
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, Order::Little)?),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, Order::Big)?),
        // JSON begins with ASCII, so a zero beside the first byte can only be half of a UTF-16 unit.
        [first, 0, ..] if *first != 0 => Cow::Owned(utf16(bytes, Order::Little)?),
        [0, second, ..] if *second != 0 => Cow::Owned(utf16(bytes, Order::Big)?),
        _ => utf8(bytes)?,
    };
    if text.trim_ascii_start().is_empty() {
        return Err(PlanError::Empty);
    }
    Ok(text)
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, PlanError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) if error.error_len().is_some() => Err(PlanError::Encoding),
        Err(error) => Err(cut_off(&String::from_utf8_lossy(&bytes[..error.valid_up_to()]))),
    }
}

fn utf16(bytes: &[u8], order: Order) -> Result<String, PlanError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| match order {
        Order::Little => u16::from_le_bytes(*pair),
        Order::Big => u16::from_be_bytes(*pair),
    });
    let mut text = String::with_capacity(pairs.len());
    for unit in char::decode_utf16(units) {
        text.push(unit.map_err(|_| PlanError::Encoding)?);
    }
    if rest.is_empty() { Ok(text) } else { Err(cut_off(&text)) }
}

fn cut_off(text: &str) -> PlanError {
    let line = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = text.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    PlanError::Truncated { line, column }
}
