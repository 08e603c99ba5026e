//! The SSH wire encoding (RFC 4251 §5), as far as keys, signatures and the agent need it. Reading never allocates and
//! never panics; every length is checked against what is there.

/// Reads one value after the other from the front of a buffer. `None` means the buffer is too short.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(crate) fn uint32(&mut self) -> Option<u32> {
        let bytes: [u8; 4] = self.take(4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    }

    /// A `string`: a length and that many bytes.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.uint32()?).ok()?;
        self.take(length)
    }

    /// A non-negative `mpint` in its shortest form, as a big-endian number of exactly `N` bytes.
    pub(crate) fn unsigned<const N: usize>(&mut self) -> Option<[u8; N]> {
        let digits = match self.string()? {
            [0, rest @ ..] if rest.first().is_some_and(|first| first & 0x80 != 0) => rest,
            digits if digits.first().is_some_and(|first| *first != 0 && first & 0x80 == 0) => digits,
            _ => return None,
        };
        let mut number = [0; N];
        let start = N.checked_sub(digits.len())?;
        number[start..].copy_from_slice(digits);
        Some(number)
    }

    /// `Some` when nothing is left.
    pub(crate) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Appends `bytes` as a `string`. Everything written here is far below the encoding's 4 GiB.
pub(crate) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_longer_than_the_buffer_is_refused() {
        assert_eq!(Reader::new(&[0, 0, 0, 2, b'a']).string(), None);
        assert_eq!(Reader::new(&[0xff; 4]).string(), None);
        assert_eq!(Reader::new(&[0, 0]).string(), None);
    }

    #[test]
    fn numbers_have_one_spelling() {
        let number = |bytes: &[u8]| {
            let mut out = Vec::new();
            put_string(&mut out, bytes);
            Reader::new(&out).unsigned::<2>()
        };
        assert_eq!(number(&[7]), Some([0, 7]));
        assert_eq!(number(&[0, 0x80]), Some([0, 0x80]));
        assert_eq!(number(&[0, 0x80, 1]), Some([0x80, 1]));
        for bad in [&[0x80][..], &[0, 7], &[], &[0], &[1, 2, 3]] {
            assert_eq!(number(bad), None, "{bad:?} was accepted");
        }
    }
}
