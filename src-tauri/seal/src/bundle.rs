//! Sealed bundles. `review.age` holds what reviewers read, `apply.age` the tool's plan file, each encrypted with age to
//! the X25519 recipients named.
//!
//! Stock tools open them: `age -d -i identity.txt review.age | tar xzf -` gives `plan.log`, `plan.json` and
//! `commitment.key`; `age -d -i identity.txt apply.age` gives the plan file. A log that CI sealed without this program
//! (`age -R recipients.txt plan.log`) opens as a review of the log alone.
//!
//! age does not say who sealed, so a bundle is opened only against the SHA-256 its producer signed. It is authenticated
//! whole before one byte of it is used, it cannot grow beyond a bound, and nothing of it is ever written to a disk here.
//! Plaintext buffers are wiped when they are dropped.

use std::fmt;
use std::io::{self, Read, Write as _};
use std::str::FromStr as _;

use age::armor::ArmoredReader;
use age::stream::StreamWriter;
use age::x25519;
use age::{DecryptError, Decryptor, Encryptor};
use countersign_domain::names::{Digest, Recipient, quoted};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use zeroize::Zeroizing;

use crate::commitment::CommitmentKey;
use crate::digest;
use crate::identity::DeviceIdentity;

/// Most bytes a bundle may hold once it is open: 512 MiB.
pub const MAX_OPEN_BYTES: u64 = 512 * 1024 * 1024;

const LOG: &str = "plan.log";
const PLAN_JSON: &str = "plan.json";
const COMMITMENT_KEY: &str = "commitment.key";
/// Binary and armored age files, of whatever version.
const AGE_BEGINNINGS: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"];
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Nobody could open it.
    #[error("there is nobody to seal to: no reviewer's device has announced a recipient")]
    NoRecipients,
    /// A recipient that age does not accept.
    #[error("the age recipient {0} is damaged")]
    Recipient(Recipient),
    /// More than [`MAX_OPEN_BYTES`].
    #[error("{0} bytes are more than a bundle may hold (512 MiB)")]
    TooLarge(u64),
    /// Encryption itself failed.
    #[error("encryption failed: {0}")]
    Failed(String),
}

/// Why a bundle was not opened. Nothing of it was used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not the bytes the producer signed for.
    #[error("the bundle's sha256 is {found}, but {expected} was signed: it was replaced or damaged on its way")]
    Hash {
        /// What the manifest says.
        expected: Digest,
        /// What the bytes have.
        found: Digest,
    },
    /// Not an age file.
    #[error("the bundle is not an age file")]
    NotAge,
    /// Sealed to others.
    #[error("the bundle is not sealed to this device; announce the device and ask for a new plan")]
    NotForThisDevice,
    /// Authentication failed somewhere in it.
    #[error("the bundle is damaged or cut off")]
    Damaged,
    /// It would grow beyond the bound.
    #[error("the bundle holds more than {0} bytes once open; it was not opened")]
    TooLarge(u64),
    /// The archive in it is not one that was sealed here.
    #[error("the bundle's archive is refused: {0}")]
    Archive(&'static str),
    /// A file that does not belong into a bundle.
    #[error("the bundle holds an unexpected file {0}")]
    UnexpectedFile(String),
    /// The commitment key in it is not one.
    #[error("the bundle's commitment key is damaged")]
    CommitmentKey,
}

/// What goes into `review.age`.
#[derive(Clone, Copy)]
pub struct ReviewContents<'a> {
    /// The tool's output, byte for byte.
    pub log: &'a [u8],
    /// `show -json` of the plan; absent when planning failed.
    pub plan_json: Option<&'a [u8]>,
    /// The key of the plan's commitment.
    pub commitment_key: Option<&'a CommitmentKey>,
}

/// What came out of `review.age`. `Debug` prints sizes only.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedReview {
    /// The tool's output, byte for byte. It is hostile text.
    pub log: Zeroizing<Vec<u8>>,
    /// `show -json` of the plan; absent when planning failed or CI sealed the log alone.
    pub plan_json: Option<Zeroizing<Vec<u8>>>,
    /// The key of the plan's commitment.
    pub commitment_key: Option<CommitmentKey>,
}

/// An encrypted bundle, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBundle {
    /// A binary age file.
    pub bytes: Vec<u8>,
    /// The SHA-256 of `bytes`, for the manifest.
    pub sha256: Digest,
}

impl fmt::Debug for ReviewContents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan_json.map_or(0, <[u8]>::len);
        write!(f, "ReviewContents(log {} bytes, plan {plan} bytes)", self.log.len())
    }
}

impl fmt::Debug for OpenedReview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan_json.as_ref().map_or(0, |plan| plan.len());
        write!(f, "OpenedReview(log {} bytes, plan {plan} bytes)", self.log.len())
    }
}

/// Seals what reviewers read.
///
/// # Errors
/// [`SealError`] when there is nobody to seal to, a recipient is damaged or the contents are too large.
pub fn seal_review(contents: ReviewContents<'_>, recipients: &[Recipient]) -> Result<SealedBundle, SealError> {
    let size = contents.log.len() as u64 + contents.plan_json.map_or(0, |plan| plan.len() as u64);
    // The archive's own frame must still fit when it is opened.
    if size > MAX_OPEN_BYTES - 64 * 1024 {
        return Err(SealError::TooLarge(size));
    }
    seal(recipients, |writer| pack(contents, writer))
}

/// Opens `review.age`, or a log that was sealed alone.
///
/// # Errors
/// [`OpenError`]; nothing of a refused bundle is returned.
pub fn open_review(
    sealed: &[u8],
    expected_sha256: &Digest,
    identity: &DeviceIdentity,
) -> Result<OpenedReview, OpenError> {
    open_review_within(sealed, expected_sha256, identity, MAX_OPEN_BYTES)
}

/// Seals the tool's plan file.
///
/// # Errors
/// As for [`seal_review`].
pub fn seal_apply(plan_file: &[u8], runners: &[Recipient]) -> Result<SealedBundle, SealError> {
    let size = plan_file.len() as u64;
    if size > MAX_OPEN_BYTES {
        return Err(SealError::TooLarge(size));
    }
    seal(runners, |writer| writer.write_all(plan_file))
}

/// Opens `apply.age`: the tool's plan file.
///
/// # Errors
/// [`OpenError`]; nothing of a refused bundle is returned.
pub fn open_apply(
    sealed: &[u8],
    expected_sha256: &Digest,
    identity: &DeviceIdentity,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    open(sealed, expected_sha256, identity, MAX_OPEN_BYTES)
}

fn open_review_within(
    sealed: &[u8],
    expected_sha256: &Digest,
    identity: &DeviceIdentity,
    limit: u64,
) -> Result<OpenedReview, OpenError> {
    let plain = open(sealed, expected_sha256, identity, limit)?;
    if !plain.starts_with(GZIP_MAGIC) {
        return Ok(OpenedReview { log: plain, plan_json: None, commitment_key: None });
    }
    unpack(&plain, limit)
}

/// Streams the archive into the encryption, so that no buffer ever holds it in clear.
fn pack(contents: ReviewContents<'_>, writer: &mut impl io::Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(writer, Compression::default()));
    append(&mut archive, LOG, contents.log)?;
    if let Some(plan_json) = contents.plan_json {
        append(&mut archive, PLAN_JSON, plan_json)?;
    }
    if let Some(key) = contents.commitment_key {
        append(&mut archive, COMMITMENT_KEY, format_key(key).as_bytes())?;
    }
    archive.into_inner()?.finish()?;
    Ok(())
}

fn format_key(key: &CommitmentKey) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(65));
    line.push_str(&key.to_hex());
    line.push('\n');
    line
}

fn append<W: io::Write>(archive: &mut tar::Builder<W>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    archive.append_data(&mut header, name, bytes)
}

fn seal(
    recipients: &[Recipient],
    write: impl FnOnce(&mut StreamWriter<Vec<u8>>) -> io::Result<()>,
) -> Result<SealedBundle, SealError> {
    if recipients.is_empty() {
        return Err(SealError::NoRecipients);
    }
    let keys = recipients.iter().map(parse_recipient).collect::<Result<Vec<_>, _>>()?;
    let encryptor = Encryptor::with_recipients(keys.iter().map(|key| key as &dyn age::Recipient))
        .map_err(|error| SealError::Failed(error.to_string()))?;
    let bytes = encrypt(encryptor, write).map_err(|error| SealError::Failed(error.to_string()))?;
    let sha256 = digest(&bytes);
    Ok(SealedBundle { bytes, sha256 })
}

fn encrypt(
    encryptor: Encryptor,
    write: impl FnOnce(&mut StreamWriter<Vec<u8>>) -> io::Result<()>,
) -> io::Result<Vec<u8>> {
    let mut writer = encryptor.wrap_output(Vec::new())?;
    write(&mut writer)?;
    writer.finish()
}

fn parse_recipient(recipient: &Recipient) -> Result<x25519::Recipient, SealError> {
    x25519::Recipient::from_str(recipient.as_str()).map_err(|_| SealError::Recipient(recipient.clone()))
}

/// The whole plaintext, authenticated to its last byte.
fn open(
    sealed: &[u8],
    expected: &Digest,
    identity: &DeviceIdentity,
    limit: u64,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let found = digest(sealed);
    if found != *expected {
        return Err(OpenError::Hash { expected: expected.clone(), found });
    }
    if !AGE_BEGINNINGS.iter().any(|beginning| sealed.starts_with(beginning)) {
        return Err(OpenError::NotAge);
    }
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(sealed)).map_err(|error| refuse_header(&error))?;
    let identity: &dyn age::Identity = identity.secret();
    let reader = decryptor.decrypt(std::iter::once(identity)).map_err(|error| refuse_header(&error))?;
    // A plaintext is never longer than its ciphertext: one allocation, no half-grown copies.
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.take(limit + 1).read_to_end(&mut plain).map_err(|_| OpenError::Damaged)?;
    within(&plain, limit)?;
    Ok(plain)
}

fn within(plain: &[u8], limit: u64) -> Result<(), OpenError> {
    if plain.len() as u64 > limit { Err(OpenError::TooLarge(limit)) } else { Ok(()) }
}

fn refuse_header(error: &DecryptError) -> OpenError {
    match error {
        DecryptError::InvalidHeader | DecryptError::UnknownFormat => OpenError::NotAge,
        DecryptError::NoMatchingKeys => OpenError::NotForThisDevice,
        _ => OpenError::Damaged,
    }
}

fn unpack(packed: &[u8], limit: u64) -> Result<OpenedReview, OpenError> {
    let mut rest = packed;
    let mut bounded = Bounded { inner: GzDecoder::new(&mut rest), left: limit };
    let files = read_files(&mut bounded, limit).and_then(|files| drain(&mut bounded).map(|()| files));
    match files {
        Ok(files) if rest.is_empty() => files.review(),
        Ok(_) => Err(OpenError::Archive("bytes are left over after it")),
        Err(ReadError::Refused(error)) => Err(error),
        Err(ReadError::Io(error)) if is_beyond(&error) => Err(OpenError::TooLarge(limit)),
        Err(ReadError::Io(_)) => Err(OpenError::Archive("it is damaged or cut off")),
    }
}

/// Why reading the archive stopped.
enum ReadError {
    Io(io::Error),
    Refused(OpenError),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Stops a stream that grows beyond its bound with an error instead of an end, which could pass for the real one.
struct Bounded<R> {
    inner: R,
    left: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("the bundle grows beyond its bound")]
struct Beyond;

fn is_beyond(error: &io::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<Beyond>() {
            return true;
        }
        // An io::Error's `source` skips the error it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = wrapped.map(|inner| inner as _).or_else(|| error.source());
    }
    false
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other(Beyond))?;
        Ok(count)
    }
}

/// Reads to the very end, so that gzip checks its own checksum.
fn drain(reader: &mut impl Read) -> Result<(), ReadError> {
    io::copy(reader, &mut io::sink())?;
    Ok(())
}

#[derive(Default)]
struct Files {
    log: Option<Zeroizing<Vec<u8>>>,
    plan_json: Option<Zeroizing<Vec<u8>>>,
    commitment_key: Option<Zeroizing<Vec<u8>>>,
}

impl Files {
    fn review(self) -> Result<OpenedReview, OpenError> {
        let log = self.log.ok_or(OpenError::Archive("it has no plan.log"))?;
        let commitment_key = match self.commitment_key {
            Some(text) => Some(CommitmentKey::from_hex(&text).map_err(|_| OpenError::CommitmentKey)?),
            None => None,
        };
        Ok(OpenedReview { log, plan_json: self.plan_json, commitment_key })
    }
}

fn read_files(reader: &mut impl Read, limit: u64) -> Result<Files, ReadError> {
    let mut files = Files::default();
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path_bytes().into_owned();
        let slot = match name.as_slice() {
            b"plan.log" => &mut files.log,
            b"plan.json" => &mut files.plan_json,
            b"commitment.key" => &mut files.commitment_key,
            other => {
                let name = quoted(&String::from_utf8_lossy(other));
                return Err(ReadError::Refused(OpenError::UnexpectedFile(name)));
            }
        };
        if slot.is_some() {
            return Err(ReadError::Refused(OpenError::Archive("it holds a file twice")));
        }
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(ReadError::Refused(OpenError::Archive("it holds something other than plain files")));
        }
        let size = entry.size();
        *slot = Some(read_entry(&mut entry, size, limit)?);
    }
    Ok(files)
}

fn read_entry(entry: &mut impl Read, size: u64, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    if size > limit {
        return Err(io::Error::other(Beyond));
    }
    let size = usize::try_from(size).map_err(io::Error::other)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    entry.read_to_end(&mut bytes)?;
    // tar ends a cut-off file early without an error.
    if bytes.len() != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            // Written by hand: the builder itself refuses `..`.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn sealed_to(identity: &DeviceIdentity, plain: &[u8]) -> SealedBundle {
        seal(std::slice::from_ref(identity.recipient()), |writer| writer.write_all(plain)).unwrap()
    }

    /// Opens `plain` as if a producer had sealed and signed just that.
    fn open_plain(plain: &[u8], limit: u64) -> Result<OpenedReview, OpenError> {
        let identity = DeviceIdentity::generate().unwrap();
        let sealed = sealed_to(&identity, plain);
        open_review_within(&sealed.bytes, &sealed.sha256, &identity, limit)
    }

    #[test]
    fn what_was_sealed_opens_unchanged() {
        let identity = DeviceIdentity::generate().unwrap();
        let key = CommitmentKey::generate().unwrap();
        for plan_json in [None, Some(&b"{}"[..])] {
            for commitment_key in [None, Some(&key)] {
                let contents = ReviewContents { log: b"\x1b[1mPlan\x1b[0m", plan_json, commitment_key };
                let sealed = seal_review(contents, std::slice::from_ref(identity.recipient())).unwrap();
                let opened = open_review(&sealed.bytes, &sealed.sha256, &identity).unwrap();
                assert_eq!(opened.log.as_slice(), contents.log);
                assert_eq!(opened.plan_json.as_ref().map(|plan| plan.as_slice()), plan_json);
                assert_eq!(opened.commitment_key.as_ref(), commitment_key);
            }
        }
    }

    #[test]
    fn a_plan_file_opens_unchanged_even_when_it_looks_like_gzip() {
        let identity = DeviceIdentity::generate().unwrap();
        for plan in [&b""[..], b"PK\x03\x04", b"\x1f\x8b\x08 not gzip"] {
            let sealed = seal_apply(plan, std::slice::from_ref(identity.recipient())).unwrap();
            assert_eq!(open_apply(&sealed.bytes, &sealed.sha256, &identity).unwrap().as_slice(), plan);
        }
    }

    #[test]
    fn every_recipient_opens_it_and_nobody_else() {
        let devices: Vec<_> = (0..3).map(|_| DeviceIdentity::generate().unwrap()).collect();
        let recipients: Vec<_> = devices[..2].iter().map(|device| device.recipient().clone()).collect();
        let sealed = seal_apply(b"plan", &recipients).unwrap();
        assert!(open_apply(&sealed.bytes, &sealed.sha256, &devices[0]).is_ok());
        assert!(open_apply(&sealed.bytes, &sealed.sha256, &devices[1]).is_ok());
        let refused = open_apply(&sealed.bytes, &sealed.sha256, &devices[2]);
        assert_eq!(refused.unwrap_err(), OpenError::NotForThisDevice);
    }

    #[test]
    fn nothing_is_sealed_to_nobody_or_to_a_damaged_recipient() {
        assert!(matches!(seal_apply(b"plan", &[]), Err(SealError::NoRecipients)));
        let damaged = Recipient::new(format!("age1{}", "q".repeat(58))).unwrap();
        assert!(matches!(seal_apply(b"plan", &[damaged]), Err(SealError::Recipient(_))));
    }

    #[test]
    fn another_bundle_than_the_signed_one_is_refused_before_it_is_opened() {
        let identity = DeviceIdentity::generate().unwrap();
        let (signed, other) = (sealed_to(&identity, b"a"), sealed_to(&identity, b"b"));
        let refused = open_review(&other.bytes, &signed.sha256, &identity);
        assert_eq!(refused, Err(OpenError::Hash { expected: signed.sha256, found: other.sha256 }));
    }

    #[test]
    fn a_bomb_is_refused_within_its_bound() {
        let zeros = vec![0; 8 * 1024 * 1024];
        let bomb = gzip(&archive(&[("plan.log", &zeros)]));
        assert!(bomb.len() < 64 * 1024, "the bomb is {} bytes", bomb.len());
        assert_eq!(open_plain(&bomb, 1024 * 1024), Err(OpenError::TooLarge(1024 * 1024)));
        // Also where the growth hides behind the archive's end.
        let mut tail = archive(&[("plan.log", b"log")]);
        tail.extend_from_slice(&zeros);
        assert_eq!(open_plain(&gzip(&tail), 1024 * 1024), Err(OpenError::TooLarge(1024 * 1024)));
        // A log alone has the same bound.
        assert_eq!(open_plain(&[b'x'; 11], 10), Err(OpenError::TooLarge(10)));
        assert!(open_plain(&[b'x'; 10], 10).is_ok());
    }

    #[test]
    fn only_the_known_files_are_accepted() {
        for name in ["../plan.log", "/plan.log", "./plan.log", "plan.log/", "evil", "a/plan.json"] {
            let opened = open_plain(&gzip(&archive(&[("plan.log", b"log"), (name, b"x")])), 1 << 20);
            assert_eq!(opened, Err(OpenError::UnexpectedFile(quoted(name))), "{name}");
        }
        let twice = gzip(&archive(&[("plan.log", b"a"), ("plan.log", b"b")]));
        assert_eq!(open_plain(&twice, 1 << 20), Err(OpenError::Archive("it holds a file twice")));
        let without = gzip(&archive(&[("plan.json", b"{}")]));
        assert_eq!(open_plain(&without, 1 << 20), Err(OpenError::Archive("it has no plan.log")));
        let bad_key = gzip(&archive(&[("plan.log", b"a"), ("commitment.key", b"abc")]));
        assert_eq!(open_plain(&bad_key, 1 << 20), Err(OpenError::CommitmentKey));
    }

    #[test]
    fn links_are_refused() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "plan.log", "/etc/passwd").unwrap();
        let opened = open_plain(&gzip(&builder.into_inner().unwrap()), 1 << 20);
        assert_eq!(opened, Err(OpenError::Archive("it holds something other than plain files")));
    }

    #[test]
    fn cut_off_and_lengthened_archives_are_refused() {
        let damaged = Err(OpenError::Archive("it is damaged or cut off"));
        let tar = archive(&[("plan.log", &[b'x'; 3000])]);
        assert_eq!(open_plain(&gzip(&tar[..2000]), 1 << 20), damaged);
        let whole = gzip(&tar);
        assert_eq!(open_plain(&whole[..whole.len() - 1], 1 << 20), damaged);
        let mut longer = whole;
        longer.push(0);
        assert_eq!(open_plain(&longer, 1 << 20), Err(OpenError::Archive("bytes are left over after it")));
    }

    #[test]
    fn not_age_at_all_is_said_so() {
        let identity = DeviceIdentity::generate().unwrap();
        let open = |bytes: &[u8]| open_review(bytes, &digest(bytes), &identity);
        assert_eq!(open(b"hello"), Err(OpenError::NotAge));
        assert_eq!(open(b""), Err(OpenError::NotAge));
        assert_eq!(open(b"age-encryption.org/v1\n"), Err(OpenError::Damaged));
    }

    #[test]
    fn debug_prints_no_contents() {
        let key = CommitmentKey::generate().unwrap();
        let contents = ReviewContents { log: b"hunter2", plan_json: None, commitment_key: Some(&key) };
        let opened =
            OpenedReview { log: b"hunter2".to_vec().into(), plan_json: None, commitment_key: Some(key.clone()) };
        for text in [format!("{contents:?}"), format!("{opened:?}"), format!("{key:?}")] {
            assert!(!text.contains("hunter2") && !text.contains(&*key.to_hex()), "{text}");
        }
    }

    /// Three chunks of age's stream (64 KiB each), so that damage in a later one is after readable plaintext.
    fn large() -> (DeviceIdentity, SealedBundle) {
        let identity = DeviceIdentity::generate().unwrap();
        let sealed = sealed_to(&identity, &vec![b'l'; 150 * 1024]);
        (identity, sealed)
    }

    #[test]
    fn cut_at_any_chunk_nothing_is_returned() {
        let (identity, sealed) = large();
        for cut in [1, 16, 17, 1000, 64 * 1024 + 16, 2 * (64 * 1024 + 16), 150 * 1024] {
            let bytes = &sealed.bytes[..sealed.bytes.len() - cut];
            assert_eq!(open_review(bytes, &digest(bytes), &identity), Err(OpenError::Damaged), "cut {cut}");
        }
        let mut longer = sealed.bytes;
        longer.push(0);
        assert_eq!(open_review(&longer, &digest(&longer), &identity), Err(OpenError::Damaged));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn one_changed_bit_opens_nothing(at in any::<prop::sample::Index>(), bit in 0_u32..8) {
            let identity = DeviceIdentity::generate().unwrap();
            let mut bytes = sealed_to(&identity, &[b'l'; 300]).bytes;
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(open_review(&bytes, &digest(&bytes), &identity).is_err());
        }

        #[test]
        fn any_plaintext_behind_the_gzip_magic_ends_in_a_value(tail in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut plain = GZIP_MAGIC.to_vec();
            plain.extend_from_slice(&tail);
            prop_assert!(unpack(&plain, 1 << 16).is_err());
        }

        #[test]
        fn any_archive_ends_in_a_value(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = unpack(&gzip(&bytes), 1 << 16);
        }

        #[test]
        fn a_damaged_archive_never_grows(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut tar = archive(&[("plan.log", &[b'x'; 700]), ("plan.json", b"{}")]);
            let at = at.index(tar.len());
            tar[at] = byte;
            if let Ok(opened) = unpack(&gzip(&tar), 1 << 16) {
                prop_assert!(opened.log.len() <= 1 << 16);
            }
        }
    }
}
