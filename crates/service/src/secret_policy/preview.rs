//! Trying a recipe out (contract 05 section 4): nothing is stored.

use scaivault_crypto::SecretString;
use scaivault_domain::access::Permit;
use scaivault_domain::recipe::Recipe;
use scaivault_domain::scope::Scope;
use scaivault_store::ReadView;

use super::{checked_recipe, existing};
use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::operation::{Query, tenant_operation};

/// `POST /v1/secret-policies/{id}/preview` and `POST /v1/secret-policies/preview`
#[derive(Debug, Clone)]
pub struct PreviewRecipe {
    pub source: PreviewSource,
}

#[derive(Debug, Clone)]
pub enum PreviewSource {
    Saved { id: String },
    Unsaved(Recipe),
}

/// What the recipe made this time.
#[derive(Debug)]
pub struct Preview {
    /// Compact JSON object.
    pub data: SecretString,
}

tenant_operation!(PreviewRecipe, SecretPolicyPreview, Preview);

impl Query for PreviewRecipe {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Preview> {
        may_read(cx)?;
        let saved;
        let recipe = match &self.source {
            PreviewSource::Unsaved(recipe) => recipe,
            // Also an inactive one: whoever switches it on wants to have seen what it makes.
            PreviewSource::Saved { id } => {
                let record = existing(view, permit, id)?;
                cx.touched(&*record.id);
                saved = checked_recipe(&record.fields.to_string())
                    .map_err(|_| Error::internal("a stored recipe can't be read"))?;
                &saved
            }
        };
        Ok(Preview { data: cx.generated("", recipe, "{}")? })
    }
}

/// Preview "also" needs secrets:write or admin; that is what the action asks for. The scope to read secret policies is asked for
/// here, because the table of actions has no word for one of these and one of those.
fn may_read(cx: &Context<'_>) -> Result<()> {
    let needed = [Scope::PoliciesRead, Scope::Admin];
    if needed.iter().any(|scope| cx.caller.scopes().contains(*scope)) {
        return Ok(());
    }
    let required: Vec<&str> = needed.iter().map(|scope| scope.as_str()).collect();
    let message = format!("The token needs scope {}", required.join(" or "));
    Err(Error::new(Code::InsufficientScope, message).with("required", required))
}
