//! Watched clones.

use std::path::{Path, PathBuf};

use countersign_engine::EngineError;
use countersign_store::clones::{CloneKind as StoredKind, WatchedClone};

use super::{problem, safe};
use crate::Host;
use crate::dto::{AddClone, CloneInfo, CloneKind, CloneRef, Nothing, Problem};
use crate::error::ApiError;

/// The watched clones.
///
/// # Errors
/// Fails when the record cannot be read; a clone that cannot be opened says so itself.
pub async fn clones(host: &Host, _: Nothing) -> Result<Vec<CloneInfo>, ApiError> {
    let mut infos = Vec::new();
    for clone in host.engine.clones().await? {
        infos.push(info(host, clone).await);
    }
    Ok(infos)
}

/// Watches a folder, or clones a URL and watches it.
///
/// # Errors
/// Says what is wrong with the folder or the URL.
pub async fn clone_add(host: &Host, args: AddClone) -> Result<CloneInfo, ApiError> {
    let kind = match args.kind {
        CloneKind::Modules => StoredKind::Modules,
        CloneKind::Live => StoredKind::Live,
    };
    let source = args.source.trim();
    let is_folder = Path::new(source).is_absolute();
    let added = if is_folder {
        host.engine.add_clone(Path::new(source), kind).await?
    } else if source.contains(':') {
        host.engine.clone_url(source, args.into.map(PathBuf::from), kind).await?
    } else {
        return Err(ApiError::usage("give a folder's full path, or a URL such as git@host:team/repository.git"));
    };
    if let Ok(place) = host.engine.place(&added.id.to_string()).await {
        // A remote that does not answer now is told by the clone's own problem; the clone is watched all the same.
        let _ = host.engine.refresh(&place).await;
    }
    Ok(info(host, added).await)
}

/// Stops watching a clone.
///
/// # Errors
/// Fails when there is no such clone.
pub async fn clone_remove(host: &Host, args: CloneRef) -> Result<Nothing, ApiError> {
    host.engine.remove_clone(&args.clone).await?;
    Ok(Nothing {})
}

/// Fetches a clone and exchanges statements.
///
/// # Errors
/// The remote's reason.
pub async fn clone_refresh(host: &Host, args: CloneRef) -> Result<Nothing, ApiError> {
    let place = host.engine.place(&args.clone).await?;
    host.engine.refresh(&place).await?;
    Ok(Nothing {})
}

async fn info(host: &Host, clone: WatchedClone) -> CloneInfo {
    let mut info = CloneInfo {
        id: clone.id.to_string(),
        name: safe(&clone.name),
        path: clone.path.display().to_string(),
        kind: match clone.kind {
            StoredKind::Modules => CloneKind::Modules,
            StoredKind::Live => CloneKind::Live,
        },
        remote: None,
        trunk: None,
        trunk_commit: None,
        refreshed_at: None,
        repository: None,
        you: None,
        problem: None,
    };
    if let Err(error) = fill(host, &mut info).await {
        info.problem = Some(problem(&error));
    }
    info
}

async fn fill(host: &Host, info: &mut CloneInfo) -> Result<(), EngineError> {
    let place = host.engine.place(&info.id).await?;
    info.remote = place.git.remote()?.map(|remote| safe(&remote.url));
    let trunk = place.git.trunk(None)?;
    info.trunk = Some(trunk.branch.to_string());
    info.trunk_commit = Some(trunk.commit.to_string());
    match host.engine.trunk_policy(&place).await? {
        Ok(policy) => {
            info.repository = Some(policy.policy.repository.to_string());
            info.you = host.engine.person_in(&policy).await.map(|person| person.to_string());
        }
        // A modules clone works without a policy: nothing of it is approved yet.
        Err(_) if info.kind == CloneKind::Modules => {}
        Err(why) => {
            info.problem = Some(Problem {
                message: why,
                kept: None,
                hint: Some(
                    "add countersign.toml and allowed_signers to trunk; until then every gate is closed".to_owned(),
                ),
            });
        }
    }
    Ok(())
}
