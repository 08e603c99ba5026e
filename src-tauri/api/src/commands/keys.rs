//! Keys and this device.

use countersign_engine::EngineError;
use countersign_seal::keys::{AvailableKey, Unlock};
use secrecy::SecretString;

use super::decide::home;
use super::safe;
use crate::Host;
use crate::dto::{KeyInfo, KeyRef, Keys, NewKey, Nothing};
use crate::error::ApiError;

/// The keys to choose from, and this device's recipient.
///
/// # Errors
/// Fails when the record cannot be read.
pub async fn keys(host: &Host, _: Nothing) -> Result<Keys, ApiError> {
    let known = host.engine.known_keys().await?;
    let mut keys = Vec::new();
    for key in &known.keys {
        let in_use = known.in_use.as_ref() == Some(key.public.fingerprint());
        keys.push(info(host, key, in_use).await?);
    }
    Ok(Keys {
        keys,
        agent_problem: known.agent_problem.as_deref().map(safe),
        device_recipient: host.engine.identity().recipient().to_string(),
    })
}

async fn info(host: &Host, key: &AvailableKey, in_use: bool) -> Result<KeyInfo, EngineError> {
    Ok(KeyInfo {
        fingerprint: key.public.fingerprint().to_string(),
        algorithm: key.public.algorithm().to_owned(),
        comment: safe(&key.comment),
        home: home(key),
        in_use,
        needs_passphrase: key.unlock == Unlock::Passphrase,
        needs_touch: key.unlock == Unlock::Touch,
        public_key: key.public.line(),
        persons: host.engine.persons_of(&key.public).await?,
    })
}

/// Makes a key in the data directory.
///
/// # Errors
/// Fails when a key of that name is there already.
pub async fn key_new(host: &Host, args: NewKey) -> Result<KeyInfo, ApiError> {
    let passphrase = args.passphrase.filter(|text| !text.is_empty()).map(SecretString::from);
    let made = host.engine.new_key(&args.name, passphrase).await?;
    let in_use = host.engine.known_keys().await?.in_use.as_ref() == Some(made.public.fingerprint());
    Ok(info(host, &made, in_use).await?)
}

/// Uses a key from now on.
///
/// # Errors
/// Fails when no key, or more than one, is called that.
pub async fn key_use(host: &Host, args: KeyRef) -> Result<Nothing, ApiError> {
    host.engine.use_key(&args.fingerprint).await?;
    for (_, place) in host.engine.places().await? {
        let Ok(place) = place else { continue };
        // The device is announced under the new key; a remote that does not answer now gets it later.
        let _ = host.engine.exchange(&place).await;
    }
    Ok(Nothing {})
}
