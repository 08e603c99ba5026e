//! The `configuration` section: what runs on apply and shows in no resource.

use countersign_domain::plan::{ProviderUse, Provisioner};
use serde_json::value::RawValue;

use super::PlanError;
use super::raw::{Form, Members, each_element, form};

/// The arguments of the usual provisioners that say what runs, the most telling first.
const COMMAND_KEYS: [&str; 6] = ["command", "inline", "script", "scripts", "source", "content"];

/// The format does not say when a provisioner runs.
const UNSTATED_WHEN: &str = "create or destroy";

#[derive(Default)]
pub(super) struct Configuration {
    pub(super) provisioners: Vec<Provisioner>,
    pub(super) providers: Vec<ProviderUse>,
}

pub(super) fn read(section: Option<&RawValue>) -> Result<Configuration, PlanError> {
    let Some(section) = section else { return Ok(Configuration::default()) };
    let members = Members::of(section, "configuration")?;
    let mut configuration =
        Configuration { providers: providers(members.get("provider_config"))?, ..Default::default() };
    if let Some(root) = members.get("root_module") {
        module(root, "", &mut configuration.provisioners)?;
    }
    Ok(configuration)
}

fn providers(section: Option<&RawValue>) -> Result<Vec<ProviderUse>, PlanError> {
    let place = "provider_config";
    let Some(section) = section else { return Ok(Vec::new()) };
    let mut providers: Vec<ProviderUse> = Vec::new();
    for (key, provider) in Members::of(section, place)?.into_iter() {
        let provider = Members::of(provider, place)?;
        let name = match provider.text("full_name", place)? {
            Some(full_name) => full_name,
            None => provider.text("name", place)?.unwrap_or_else(|| key.into_owned()),
        };
        let found = ProviderUse { name, version_constraint: provider.text("version_constraint", place)? };
        if !providers.contains(&found) {
            providers.push(found);
        }
    }
    Ok(providers)
}

/// Recursion is bounded by the document's nesting.
fn module(raw: &RawValue, prefix: &str, into: &mut Vec<Provisioner>) -> Result<(), PlanError> {
    let place = "a module of configuration";
    let members = Members::of(raw, place)?;
    if let Some(resources) = members.get("resources") {
        each_element(resources, place, |resource| resource_provisioners(resource, prefix, into))?;
    }
    let Some(calls) = members.get("module_calls") else { return Ok(()) };
    for (name, call) in Members::of(calls, place)?.into_iter() {
        if let Some(called) = Members::of(call, place)?.get("module") {
            module(called, &format!("{prefix}module.{name}."), into)?;
        }
    }
    Ok(())
}

fn resource_provisioners(raw: &RawValue, prefix: &str, into: &mut Vec<Provisioner>) -> Result<(), PlanError> {
    let place = "a resource of configuration";
    let members = Members::of(raw, place)?;
    let Some(provisioners) = members.get("provisioners") else { return Ok(()) };
    let address = members.text("address", place)?.unwrap_or_default();
    each_element(provisioners, place, |provisioner| {
        let provisioner = Members::of(provisioner, place)?;
        let expressions = provisioner.get("expressions").map(|raw| Members::of(raw, place)).transpose()?;
        into.push(Provisioner {
            resource: format!("{prefix}{address}"),
            provisioner_type: provisioner.text("type", place)?.unwrap_or_default(),
            when: provisioner.text("when", place)?.unwrap_or_else(|| UNSTATED_WHEN.to_owned()),
            command: expressions.map(|expressions| command(&expressions)).transpose()?.flatten(),
        });
        Ok(())
    })
}

/// What runs; led by the interpreter when one is stated, since another interpreter runs something else.
fn command(expressions: &Members<'_>) -> Result<Option<String>, PlanError> {
    let Some(stated) = COMMAND_KEYS.into_iter().find_map(|key| expressions.get(key)) else { return Ok(None) };
    let stated = expression(stated)?;
    let Some(interpreter) = expressions.get("interpreter") else { return Ok(stated) };
    let interpreter = expression(interpreter)?.unwrap_or_default();
    Ok(Some(format!("with {interpreter}: {}", stated.unwrap_or_default())))
}

/// Constant text, other constants as JSON, or the references that the value is built from.
fn expression(raw: &RawValue) -> Result<Option<String>, PlanError> {
    let place = "an expression of a provisioner";
    if form(raw) != Form::Object {
        return Ok(Some(raw.get().to_owned()));
    }
    let members = Members::of(raw, place)?;
    if let Some(constant) = members.get("constant_value") {
        let text = serde_json::from_str::<String>(constant.get());
        return Ok(Some(text.unwrap_or_else(|_| constant.get().to_owned())));
    }
    let references = members.texts("references", place)?;
    Ok((!references.is_empty()).then(|| format!("built from {}", references.join(", "))))
}

/// Terraform 1.14 runs `action` blocks on apply. Like provisioners they show in no resource.
pub(super) fn invocations(section: Option<&RawValue>) -> Result<Vec<Provisioner>, PlanError> {
    let place = "an entry of action_invocations";
    let mut found = Vec::new();
    let Some(section) = section else { return Ok(found) };
    each_element(section, place, |invocation| {
        let invocation = Members::of(invocation, place)?;
        let address = invocation.text("address", place)?.unwrap_or_default();
        let trigger = invocation.get("lifecycle_action_trigger").map(|raw| Members::of(raw, place)).transpose()?;
        let trigger = trigger.unwrap_or_default();
        found.push(Provisioner {
            resource: trigger.text("triggering_resource_address", place)?.unwrap_or_else(|| address.clone()),
            provisioner_type: format!("action {}", invocation.text("type", place)?.unwrap_or_default()),
            when: trigger.text("action_trigger_event", place)?.unwrap_or_else(|| "apply".to_owned()),
            command: Some(address),
        });
        Ok(())
    })?;
    Ok(found)
}
