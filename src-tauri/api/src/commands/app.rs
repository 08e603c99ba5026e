//! This program and its machine.

use std::path::PathBuf;

use countersign_engine::EngineError;
use countersign_engine::demo::{DEMO_SETTING, DesktopDemo};
use countersign_engine::tooling;

use crate::Host;
use crate::dto::{AppInfo, Nothing, SetTheme, Theme, ToolFound};
use crate::error::ApiError;

const THEME_SETTING: &str = "theme";

/// About this program and machine.
///
/// # Errors
/// Fails when the settings cannot be read.
pub async fn app_info(host: &Host, _: Nothing) -> Result<AppInfo, ApiError> {
    let store = host.engine.store();
    let demo: Option<PathBuf> = store.setting(DEMO_SETTING).await.map_err(EngineError::from)?;
    let theme: Option<Theme> = store.setting(THEME_SETTING).await.map_err(EngineError::from)?;
    let tools = tooling::machine_tools().await;
    Ok(AppInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_dir: host.engine.data_dir().display().to_string(),
        demo_dir: demo.map(|dir| dir.display().to_string()),
        tools: tools
            .into_iter()
            .map(|tool| ToolFound {
                name: tool.name.to_owned(),
                version: tool.version,
                path: tool.path.map(|path| path.display().to_string()),
                purpose: tool.purpose.to_owned(),
                hint: tool.hint.map(str::to_owned),
            })
            .collect(),
        theme: theme.unwrap_or(Theme::System),
    })
}

/// Sets the colours.
///
/// # Errors
/// Fails when the setting cannot be written.
pub async fn set_theme(host: &Host, args: SetTheme) -> Result<Nothing, ApiError> {
    host.engine.store().set_setting(THEME_SETTING, &args.theme).await.map_err(EngineError::from)?;
    Ok(Nothing {})
}

/// Builds the demo world and takes your place in it.
///
/// # Errors
/// Fails when the world cannot be built; what was built is cleared at the next try.
pub async fn open_demo(host: &Host, _: Nothing) -> Result<Nothing, ApiError> {
    DesktopDemo::open(&host.engine).await?;
    Ok(Nothing {})
}
