//! The ways to name an identity (contract 00 section 2, "Identity ids").

use std::fmt;

use super::{GroupId, ServiceAccountId, UserId};
use crate::name::{Email, ResourceName, UrlName};

/// An identity as a client names it: by its public form (`user:<email>`) or by its directory id (`usr_...`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IdentityRef {
    User(Email),
    ServiceAccount(UrlName),
    Group(UrlName),
    /// `dynamic:<engine>`, `federation:<backend>` or `system:<name>`, whole.
    System(String),
    DirectoryUser(UserId),
    DirectoryServiceAccount(ServiceAccountId),
    DirectoryGroup(GroupId),
}

impl IdentityRef {
    /// # Errors
    /// [`IdentityRefError`] for anything that is neither form.
    pub fn parse(text: &str) -> Result<IdentityRef, IdentityRefError> {
        let Some((kind, name)) = text.split_once(':') else { return Self::parse_directory_id(text) };
        match kind {
            "user" => Email::parse(name).ok().map(IdentityRef::User),
            "sa" => UrlName::parse(name).ok().map(IdentityRef::ServiceAccount),
            "group" => UrlName::parse(name).ok().map(IdentityRef::Group),
            "dynamic" | "system" => UrlName::parse(name).ok().map(|_| IdentityRef::System(text.to_owned())),
            // A backend's name does not stand in URLs, so it may have any character a name has.
            "federation" => ResourceName::parse(name).ok().map(|_| IdentityRef::System(text.to_owned())),
            _ => None,
        }
        .ok_or(IdentityRefError)
    }

    fn parse_directory_id(text: &str) -> Result<IdentityRef, IdentityRefError> {
        let user = || UserId::parse(text).map(IdentityRef::DirectoryUser);
        let account = || ServiceAccountId::parse(text).map(IdentityRef::DirectoryServiceAccount);
        let group = || GroupId::parse(text).map(IdentityRef::DirectoryGroup);
        user().or_else(|_| account()).or_else(|_| group()).map_err(|_| IdentityRefError)
    }

    /// What kind of identity it names.
    pub const fn identity_type(&self) -> IdentityType {
        match self {
            IdentityRef::User(_) | IdentityRef::DirectoryUser(_) => IdentityType::User,
            IdentityRef::ServiceAccount(_) | IdentityRef::DirectoryServiceAccount(_) => IdentityType::ServiceAccount,
            IdentityRef::Group(_) | IdentityRef::DirectoryGroup(_) => IdentityType::Group,
            IdentityRef::System(_) => IdentityType::System,
        }
    }

    /// Whether a binding may call it `given`: its own type, and for engines and backends also `service_account` (contract 03 section 5).
    pub fn agrees_with(&self, given: IdentityType) -> bool {
        let is_machine = |text: &str| text.starts_with("dynamic:") || text.starts_with("federation:");
        let is_machine_account = matches!(self, IdentityRef::System(text) if is_machine(text));
        self.identity_type() == given || (is_machine_account && given == IdentityType::ServiceAccount)
    }
}

/// As it was given, e-mails in lower case.
impl fmt::Display for IdentityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentityRef::User(email) => write!(f, "user:{email}"),
            IdentityRef::ServiceAccount(name) => write!(f, "sa:{name}"),
            IdentityRef::Group(name) => write!(f, "group:{name}"),
            IdentityRef::System(text) => f.write_str(text),
            IdentityRef::DirectoryUser(id) => write!(f, "{id}"),
            IdentityRef::DirectoryServiceAccount(id) => write!(f, "{id}"),
            IdentityRef::DirectoryGroup(id) => write!(f, "{id}"),
        }
    }
}

/// A text that names no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an identity such as user:<email>, sa:<name>, group:<name> or a directory id")]
pub struct IdentityRefError;

/// The kinds of identities a policy can be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityType {
    User,
    ServiceAccount,
    Group,
    System,
}

impl IdentityType {
    pub const ALL: [IdentityType; 4] =
        [IdentityType::User, IdentityType::ServiceAccount, IdentityType::Group, IdentityType::System];

    pub const fn as_str(self) -> &'static str {
        match self {
            IdentityType::User => "user",
            IdentityType::ServiceAccount => "service_account",
            IdentityType::Group => "group",
            IdentityType::System => "system",
        }
    }

    /// `None` for anything else; case-sensitive.
    pub fn parse(text: &str) -> Option<IdentityType> {
        IdentityType::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for IdentityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back() {
        let table = [
            ("user:Mia@Firm.example", "user:mia@firm.example", IdentityType::User),
            ("sa:crm", "sa:crm", IdentityType::ServiceAccount),
            ("group:dev", "group:dev", IdentityType::Group),
            ("dynamic:pg-main", "dynamic:pg-main", IdentityType::System),
            ("federation:Old Vault", "federation:Old Vault", IdentityType::System),
            ("system:rotation-scheduler", "system:rotation-scheduler", IdentityType::System),
            ("usr_1", "usr_1", IdentityType::User),
            ("sa_1", "sa_1", IdentityType::ServiceAccount),
            ("grp_1", "grp_1", IdentityType::Group),
        ];
        for (text, shown, kind) in table {
            let parsed = IdentityRef::parse(text).unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed.identity_type()), (shown, kind));
            assert!(parsed.agrees_with(kind));
        }
        for bad in [
            "",
            "user",
            "user:",
            "user:mia",
            "User:mia@x",
            "sa:CRM",
            "group:",
            "tok_1",
            "role:tenant_admin",
            "usr_",
            "system:a b",
        ] {
            assert_eq!(IdentityRef::parse(bad), Err(IdentityRefError), "{bad:?}");
        }
    }

    #[test]
    fn engines_and_backends_may_be_called_service_accounts() {
        let agrees = |text: &str| IdentityRef::parse(text).unwrap().agrees_with(IdentityType::ServiceAccount);
        assert!(agrees("dynamic:pg") && agrees("federation:x") && agrees("sa:crm"));
        assert!(!agrees("system:dynamic-engines") && !agrees("user:a@b") && !agrees("group:dev"));
    }

    #[test]
    fn types_read_back() {
        for kind in IdentityType::ALL {
            assert_eq!(IdentityType::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(IdentityType::parse("sa"), None);
    }
}
