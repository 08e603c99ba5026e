//! The main job, from a pushed branch to files in the cloud.

use countersign_engine::Engine;
use countersign_engine::demo::{self, Begin};
use countersign_engine::error::EngineError;

/// One round of a runner in this process.
pub(crate) async fn round(data_dir: std::path::PathBuf) -> Result<(), EngineError> {
    let runner = Engine::open(&data_dir).await?;
    for step in runner.agent_round().await? {
        step.outcome?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_walks_from_plan_to_verified_apply() {
    let dir = tempfile::tempdir().unwrap();
    let world = demo::world(&dir.path().join("a world"), Begin::WithWhatIsThere, &mut |_| {}).await.unwrap();
    let runner = world.runner.data_dir.clone();
    let rounds = move || -> std::pin::Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send>> {
        Box::pin(round(runner.clone()))
    };
    let you = Engine::open(&world.you.data_dir).await.unwrap();
    let prepared = demo::prepare(&world, you, &rounds, &mut |_| {}).await.unwrap();
    let mut steps = Vec::new();
    let ok = demo::walk(&prepared, &rounds, &mut |step| {
        println!("{step:?}");
        steps.push(step.step);
    })
    .await
    .unwrap();
    assert!(ok, "{steps:?}");
    let each = ["plan", "seal", "decrypt", "gate-closed", "approve", "gate-open", "merge", "apply", "verify"];
    assert_eq!(steps, [each, each].concat());
}
