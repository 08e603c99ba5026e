//! The two requests of the ssh-agent protocol (draft-miller-ssh-agent) that signing needs: list keys, sign.
//!
//! Own code because both published clients pull RSA and more curves into the tree, and the signature type they share
//! writes a hardware P-256 key's signature wrongly. Signatures pass through here as the bytes the agent gave.

use std::io::{self, Read, Write};

use crate::wire::{Reader, put_string};

/// OpenSSH's own bound (`AGENT_MAX_LEN`).
const MAX_MESSAGE_BYTES: usize = 256 * 1024;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// A key as the agent lists it.
pub(crate) struct Listed {
    pub(crate) blob: Vec<u8>,
    pub(crate) comment: String,
}

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum AgentFault {
    /// The connection broke, or the agent took longer than its timeout.
    Io(io::Error),
    /// The agent answered something the protocol does not have here.
    Protocol(&'static str),
    /// The agent said no, without a reason; the protocol has none.
    Refused,
}

impl From<io::Error> for AgentFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Every key the agent shows. A locked agent shows none.
pub(crate) fn list(stream: &mut (impl Read + Write)) -> Result<Vec<Listed>, AgentFault> {
    let answer = exchange(stream, &[REQUEST_IDENTITIES], IDENTITIES_ANSWER)?;
    read_listing(&answer).ok_or(AgentFault::Protocol("its list of keys is cut off"))
}

/// An SSH signature blob over `data` by the key `blob`.
pub(crate) fn sign(stream: &mut (impl Read + Write), blob: &[u8], data: &[u8]) -> Result<Vec<u8>, AgentFault> {
    let mut request = vec![SIGN_REQUEST];
    put_string(&mut request, blob);
    put_string(&mut request, data);
    request.extend_from_slice(&0_u32.to_be_bytes());
    let answer = exchange(stream, &request, SIGN_RESPONSE)?;
    let mut reader = Reader::new(&answer);
    let signature = reader.string().map(<[u8]>::to_vec);
    signature.ok_or(AgentFault::Protocol("its signature is cut off"))
}

fn read_listing(answer: &[u8]) -> Option<Vec<Listed>> {
    let mut reader = Reader::new(answer);
    let count = reader.uint32()?;
    let mut listed = Vec::new();
    for _ in 0..count {
        let blob = reader.string()?.to_vec();
        let comment = String::from_utf8_lossy(reader.string()?).into_owned();
        listed.push(Listed { blob, comment });
    }
    Some(listed)
}

fn exchange(stream: &mut (impl Read + Write), request: &[u8], expected: u8) -> Result<Vec<u8>, AgentFault> {
    let mut message = Vec::with_capacity(request.len() + 4);
    put_string(&mut message, request);
    stream.write_all(&message)?;
    stream.flush()?;

    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_MESSAGE_BYTES {
        return Err(AgentFault::Protocol("its answer is longer than any agent's"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    match answer.first() {
        Some(kind) if *kind == expected => Ok(answer.split_off(1)),
        Some(&FAILURE) => Err(AgentFault::Refused),
        _ => Err(AgentFault::Protocol("its answer is of another kind")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An agent that answers every request with the same bytes.
    struct Scripted(io::Cursor<Vec<u8>>);

    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Scripted {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answering(body: &[u8]) -> Scripted {
        let mut bytes = Vec::new();
        put_string(&mut bytes, body);
        Scripted(io::Cursor::new(bytes))
    }

    #[test]
    fn a_hostile_agent_is_refused_and_allocates_nothing() {
        let endless = [IDENTITIES_ANSWER, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(list(&mut answering(&endless)), Err(AgentFault::Protocol(_))));
        assert!(matches!(list(&mut answering(&[SIGN_RESPONSE])), Err(AgentFault::Protocol(_))));
        assert!(matches!(list(&mut answering(&[])), Err(AgentFault::Protocol(_))));
        assert!(matches!(sign(&mut answering(&[SIGN_RESPONSE, 0, 0, 0, 9]), b"k", b"d"), Err(AgentFault::Protocol(_))));
        let huge = Scripted(io::Cursor::new(vec![0xff; 4]));
        assert!(matches!(list(&mut { huge }), Err(AgentFault::Protocol(_))));
        assert!(matches!(sign(&mut answering(&[FAILURE]), b"k", b"d"), Err(AgentFault::Refused)));
        assert!(matches!(list(&mut Scripted(io::Cursor::new(vec![0, 0]))), Err(AgentFault::Io(_))));
    }
}
