//! `/v1/secret-policies`.

use scaivault_api::secret_policy as wire;
use scaivault_domain::path::SecretPath;
use scaivault_domain::recipe::Recipe;
use scaivault_service::page::Page;
use scaivault_service::secret_policy::{
    CreateSecretPolicy, DeleteSecretPolicy, GenerateSecret, GetSecretPolicy, ListSecretPolicies, PolicyType, Preview,
    PreviewRecipe, PreviewSource, SecretPolicyRecord, UpdateSecretPolicy, checked_recipe,
};
use scaivault_service::{Error, FaultCode, Result};
use serde_json::value::RawValue;

use super::secret::{metadata_patch, options_change, secret_type};
use crate::extract::{Boolean, Faults, ObjectReader, OneOf, Patch, RawArray, Text, present};
use crate::input::{Input, invalid_path};
use crate::reply::Reply;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
const DESCRIPTION_CHARS: usize = 2000;

const READ_ONLY: [&str; 3] = ["id", "created_at", "updated_at"];

const POLICY_TYPES: &[(&str, PolicyType)] = &[
    ("password", PolicyType::Password),
    ("api_key", PolicyType::ApiKey),
    ("oauth_client", PolicyType::OauthClient),
    ("ssh_key", PolicyType::SshKey),
    ("custom", PolicyType::Custom),
];

pub(crate) fn list(input: &Input<'_>) -> Result<ListSecretPolicies> {
    let faults = Faults::new();
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let include_inactive = query.boolean("include_inactive").unwrap_or(false);
    query.finish();
    faults.finish()?;
    Ok(ListSecretPolicies { include_inactive, limit: page.limit, after: page.after })
}

fn description(body: &mut ObjectReader<'_>) -> Patch<String> {
    body.patch("description", &Text::max(DESCRIPTION_CHARS))
}

/// Reads `fields` if they are there; their faults join those of the rest.
fn recipe(body: &mut ObjectReader<'_>) -> Option<Recipe> {
    let fields = body.get("fields", &RawArray)?;
    body.faults().take(checked_recipe(&fields))
}

fn required_recipe(body: &mut ObjectReader<'_>) -> Option<Recipe> {
    if !body.has("fields") {
        body.fault("fields", FaultCode::Required, "is required");
    }
    recipe(body)
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreateSecretPolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&READ_ONLY);
    let name = body.require("name", &Text::name());
    let description = description(&mut body).set();
    let policy_type = body.get("policy_type", &OneOf(POLICY_TYPES)).unwrap_or_default();
    let recipe = required_recipe(&mut body);
    let is_active = body.get("is_active", &Boolean).unwrap_or(true);
    body.finish();
    faults.finish()?;
    Ok(CreateSecretPolicy { name: present(name)?, description, policy_type, recipe: present(recipe)?, is_active })
}

pub(crate) fn get(input: &Input<'_>) -> Result<GetSecretPolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    faults.finish()?;
    Ok(GetSecretPolicy { id: input.param("id") })
}

/// PUT: what is left out goes back to its default.
pub(crate) fn replace(input: &Input<'_>) -> Result<UpdateSecretPolicy> {
    let CreateSecretPolicy { name, description, policy_type, recipe, is_active } = create(input)?;
    Ok(UpdateSecretPolicy {
        id: input.param("id"),
        name: Some(name),
        description: Some(description),
        policy_type: Some(policy_type),
        recipe: Some(recipe),
        is_active: Some(is_active),
    })
}

pub(crate) fn patch(input: &Input<'_>) -> Result<UpdateSecretPolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&READ_ONLY);
    let name = body.get("name", &Text::name());
    let description = description(&mut body).into_change();
    let policy_type = body.patch("policy_type", &OneOf(POLICY_TYPES)).into_change().map(Option::unwrap_or_default);
    let recipe = recipe(&mut body);
    let is_active = body.patch("is_active", &Boolean).into_change().map(|given| given.unwrap_or(true));
    body.finish();
    faults.finish()?;
    Ok(UpdateSecretPolicy { id: input.param("id"), name, description, policy_type, recipe, is_active })
}

pub(crate) fn delete(input: &Input<'_>) -> Result<DeleteSecretPolicy> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let force = query.boolean("force").unwrap_or(false);
    query.finish();
    faults.finish()?;
    Ok(DeleteSecretPolicy { id: input.param("id"), force })
}

pub(crate) fn preview_saved(input: &Input<'_>) -> Result<PreviewRecipe> {
    let faults = Faults::new();
    input.query(&faults).finish();
    input.body(&faults).finish();
    faults.finish()?;
    Ok(PreviewRecipe { source: PreviewSource::Saved { id: input.param("id") } })
}

pub(crate) fn preview_unsaved(input: &Input<'_>) -> Result<PreviewRecipe> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let recipe = required_recipe(&mut body);
    body.finish();
    faults.finish()?;
    Ok(PreviewRecipe { source: PreviewSource::Unsaved(present(recipe)?) })
}

pub(crate) fn generate(input: &Input<'_>) -> Result<GenerateSecret> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let path = body.require("path", &Text::max(usize::MAX));
    let secret_type = secret_type(&mut body);
    let metadata = metadata_patch(&mut body);
    let (options, expected) = options_change(&mut body, input.now, true);
    body.finish();
    let path = path.and_then(|text| faults.take(SecretPath::parse(&text).map_err(|error| invalid_path(&error))));
    faults.finish()?;
    Ok(GenerateSecret {
        policy_id: input.param("id"),
        path: present(path)?,
        secret_type,
        metadata,
        options,
        create_only: expected == Some(0),
        expected_version: expected.filter(|version| *version > 0),
    })
}

fn view(record: &SecretPolicyRecord) -> wire::SecretPolicy {
    wire::SecretPolicy {
        id: record.id.clone(),
        name: record.name.clone(),
        description: record.description.clone(),
        policy_type: record.policy_type.clone(),
        // A recipe is stored in its wire shape; were it ever not, a test that looks at the answer would see no fields.
        fields: serde_json::from_value(record.fields.clone()).unwrap_or_default(),
        is_active: record.is_active,
        created_at: record.created_at.to_rfc3339_seconds(),
        updated_at: record.updated_at.to_rfc3339_seconds(),
    }
}

pub(crate) fn policy(record: &SecretPolicyRecord) -> Reply {
    Reply::json(&view(record))
}

pub(crate) fn policy_of(record: SecretPolicyRecord, _input: &Input<'_>) -> Result<Reply> {
    Ok(policy(&record))
}

pub(crate) fn page(page: Page<SecretPolicyRecord>, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    Ok(Reply::json(&wire::SecretPolicyList {
        secret_policies: page.items.iter().map(view).collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}

pub(crate) fn previewed(preview: Preview, _input: &Input<'_>) -> Result<Reply> {
    let data =
        RawValue::from_string(preview.data.expose().to_owned()).map_err(|_| Error::internal("a value is no JSON"))?;
    Ok(Reply::json(&wire::RecipePreview { data }).no_store())
}
