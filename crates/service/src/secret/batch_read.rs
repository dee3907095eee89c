//! Reading many values at once (contract 08 section 1).

use scaivault_domain::access::{Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::secret::Metadata;
use scaivault_store::ReadView;

use super::metadata::{SecretOverview, overview};
use super::read::{ReadSecret, SecretValue, ValueRead};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::operation::{Batch, Operation, Part, Query};

/// `POST /v1/secrets/batch`
pub struct ReadSecrets {
    pub parts: Vec<Part<ReadWithMetadata>>,
    pub fail_fast: bool,
}

/// One of them: a read like any other, and on demand what else is known of the secret.
#[derive(Debug, Clone)]
pub struct ReadWithMetadata {
    pub read: ReadSecret,
    pub include_metadata: bool,
}

#[derive(Debug)]
pub struct ValueWithMetadata {
    pub value: Box<SecretValue>,
    pub overview: Option<Box<SecretOverview>>,
}

impl Batch for ReadSecrets {
    type Part = ReadWithMetadata;
    const ACTION: Action = Action::SecretBatchRead;

    fn target(&self) -> Target {
        Target::Listing { space: Space::Tenant, prefix: None }
    }

    fn parts(&self) -> &[Part<ReadWithMetadata>] {
        &self.parts
    }

    fn fail_fast(&self) -> bool {
        self.fail_fast
    }

    fn size(output: &ValueWithMetadata) -> usize {
        let record = &output.value.record;
        let described = output.overview.as_ref().map_or(0, |overview| text_bytes(&overview.record.metadata));
        record.path.len() + output.value.data.expose().len() + described
    }
}

fn text_bytes(metadata: &Metadata) -> usize {
    let tags: usize = metadata.tags.iter().map(String::len).sum();
    let custom: usize = metadata.custom.iter().map(|(key, value)| key.len() + value.len()).sum();
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    length(&metadata.description) + length(&metadata.owner) + tags + custom
}

impl Operation for ReadWithMetadata {
    type Output = ValueWithMetadata;
    const ACTION: Action = ReadSecret::ACTION;

    fn action(&self) -> Action {
        self.read.action()
    }

    fn target(&self) -> Target {
        self.read.target()
    }
}

impl Query for ReadWithMetadata {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<ValueWithMetadata> {
        let ValueRead::Value(value) = self.read.run(permit, view, cx)? else {
            return Err(Error::internal("a read without a condition answered that nothing is new"));
        };
        let overview = match self.include_metadata {
            true => Some(Box::new(overview(view, value.record.clone(), cx.now)?)),
            false => None,
        };
        Ok(ValueWithMetadata { value, overview })
    }
}
