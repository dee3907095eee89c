//! Client secrets: at most two at a time, so that one can take over from the other.

use scaivault_crypto::{OpaqueToken, TokenKind};
use scaivault_domain::access::Permit;
use scaivault_domain::duration::Span;
use scaivault_domain::id::CredentialId;
use scaivault_domain::time::Timestamp;
use scaivault_store::credential::{self, CredentialRecord};
use scaivault_store::service_account::ServiceAccountRecord;
use scaivault_store::{ReadView, WriteTx};

use super::access::demand_over;
use super::service_account::seen_account;
use super::{Listed, PageRequest, roles_of};
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, Result};
use crate::operation::{Command, Query, tenant_operation};

const MAX_LIVE: i64 = 2;

/// A client secret as answers show it.
pub type Credential = CredentialRecord;

pub(super) fn new_record(
    cx: &Context<'_>,
    account: &ServiceAccountRecord,
    expires_at: Option<Timestamp>,
) -> Result<CredentialRecord> {
    Ok(CredentialRecord {
        id: CredentialId::from_ulid(cx.ulid()?).as_str().to_owned(),
        tenant_id: account.tenant_id.clone(),
        service_account_id: account.id.clone(),
        created_at: cx.now,
        expires_at,
        last_used_at: None,
    })
}

/// `GET /v1/identity/service-accounts/{id}/credentials`
pub struct ListCredentials {
    pub service_account_id: String,
    pub page: PageRequest,
}

tenant_operation!(ListCredentials, DirectoryRead, Listed<Credential>);

impl Query for ListCredentials {
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Listed<Credential>> {
        cx.touched(&self.service_account_id);
        let (account, tenant) = seen_account(view, cx, &self.service_account_id)?;
        demand_over(cx.caller, &tenant, roles_of(account.roles))?;
        Ok(credential::list(view, &account.id, self.page.rows())?)
    }
}

/// `POST /v1/identity/service-accounts/{id}/credentials`
pub struct CreateCredential {
    pub service_account_id: String,
    /// `None`: until it is deleted.
    pub expires_in: Option<Span>,
}

/// A new client secret, which is shown this once.
pub struct NewCredential {
    pub credential: Credential,
    pub client_secret: OpaqueToken,
}

tenant_operation!(CreateCredential, DirectoryChange, NewCredential);

impl Command for CreateCredential {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<NewCredential> {
        cx.touched(&self.service_account_id);
        let (account, tenant) = seen_account(tx, cx, &self.service_account_id)?;
        demand_over(cx.caller, &tenant, roles_of(account.roles))?;
        if credential::count_live(tx, &account.id, cx.now)? >= MAX_LIVE {
            let message = "The service account has two credentials already; delete one first";
            return Err(Error::new(Code::InvalidState, message).with("state", "two_live_credentials"));
        }
        let expires_at = self.expires_in.as_ref().map(|span| cx.now.plus_seconds(span.seconds()));
        let record = new_record(cx, &account, expires_at)?;
        let client_secret = cx.vault.new_token(TokenKind::ClientSecret)?;
        credential::insert(tx, &record, client_secret.hash().as_bytes())?;
        cx.note("credential_id", record.id.as_str());
        cx.outcome(Outcome::Created);
        Ok(NewCredential { credential: record, client_secret })
    }
}

/// `DELETE /v1/identity/service-accounts/{id}/credentials/{credential_id}`
pub struct DeleteCredential {
    pub service_account_id: String,
    pub id: String,
}

tenant_operation!(DeleteCredential, DirectoryChange, ());

impl Command for DeleteCredential {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        cx.touched(&self.service_account_id);
        cx.note("credential_id", self.id.as_str());
        let (account, tenant) = seen_account(tx, cx, &self.service_account_id)?;
        demand_over(cx.caller, &tenant, roles_of(account.roles))?;
        if !credential::delete(tx, &account.id, &self.id)? {
            let message = format!("Credential '{}' not found", self.id);
            return Err(Error::new(Code::CredentialNotFound, message).with("id", self.id.as_str()));
        }
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
