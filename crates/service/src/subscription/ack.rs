//! `POST /v1/subscriptions/{id}/ack`

use scaivault_domain::access::Permit;
use scaivault_store::{Lane, WriteTx, subscription_buffer};

use super::{must_be_polled, own};
use crate::caller::Caller;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Command, tenant_operation};

/// Takes events out of the buffer for good. Ids that are not in it are passed over: an acknowledgement may be repeated.
#[derive(Debug, Clone)]
pub struct AcknowledgeEvents {
    pub id: String,
    pub event_ids: Vec<String>,
}

/// How many events there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged(pub i64);

tenant_operation!(AcknowledgeEvents, SubscriptionAck, Acknowledged);

impl Command for AcknowledgeEvents {
    /// Its buffer is written to by the tenant's own hand-on only.
    fn lane(&self, caller: &Caller) -> Lane {
        Lane::Tenant(caller.tenant_id().as_str().to_owned())
    }

    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Acknowledged> {
        cx.touched(&self.id);
        let record = own(tx, permit, cx, &self.id)?;
        must_be_polled(&record)?;
        let acknowledged = subscription_buffer::acknowledge(tx, permit.tenant(), &record.id, &self.event_ids)?;
        cx.note("acknowledged", acknowledged);
        Ok(Acknowledged(acknowledged))
    }
}
