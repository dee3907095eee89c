//! From outcomes to the wire.

use scaivault_api::secret as wire;
use scaivault_domain::secret::{Metadata, VersionState};
use scaivault_domain::time::Timestamp;
use scaivault_service::secret::{Deleted, Rotated, SecretOverview, SecretValue, ValueRead, VersionList, Written};
use scaivault_service::{Error, Result};
use serde_json::value::RawValue;

use crate::input::Input;
use crate::reply::Reply;

fn second(time: Timestamp) -> String {
    time.to_rfc3339_seconds()
}

fn opt_second(time: Option<Timestamp>) -> Option<String> {
    time.map(second)
}

fn metadata_of(metadata: &Metadata) -> wire::Metadata {
    wire::Metadata {
        description: metadata.description.clone(),
        tags: metadata.tags.clone(),
        owner: metadata.owner.clone(),
        custom: metadata.custom.clone(),
    }
}

/// The value as it was written.
pub(super) fn payload(secret: &SecretValue) -> Result<Box<RawValue>> {
    RawValue::from_string(secret.data.expose().to_owned()).map_err(|_| Error::internal("a value is no JSON"))
}

pub(crate) fn value(read: ValueRead, _input: &Input<'_>) -> Result<Reply> {
    let secret = match read {
        ValueRead::NotModified { version } => return Ok(Reply::empty().etag(version).no_store()),
        ValueRead::Value(secret) => secret,
    };
    let record = &secret.record;
    let data = payload(&secret)?;
    let view = wire::SecretValue {
        path: record.path.clone(),
        secret_type: record.secret_type.as_str().to_owned(),
        version: secret.version.version,
        data,
        metadata: metadata_of(&record.metadata),
        created_at: second(record.created_at),
        updated_at: second(record.updated_at),
        expires_at: opt_second(record.expires_at),
        rotation_policy_id: record.rotation.as_ref().map(|rotation| rotation.policy_id.clone()),
        secret_policy_id: record.secret_policy_id.clone(),
        version_created_at: second(secret.version.created_at),
        is_current: secret.is_current,
        readable_until: opt_second(secret.version.readable_until.filter(|_| !secret.is_current)),
    };
    Ok(Reply::json(&view).etag(secret.version.version).no_store())
}

pub(crate) fn written(written: &Written) -> Reply {
    let record = &written.record;
    let reply = match written.previous_version {
        None => Reply::json(&wire::SecretCreated {
            path: record.path.clone(),
            secret_type: record.secret_type.as_str().to_owned(),
            version: record.current_version,
            created: true,
            created_at: second(record.created_at),
            expires_at: opt_second(record.expires_at),
        }),
        Some(previous_version) => Reply::json(&wire::SecretUpdated {
            path: record.path.clone(),
            version: record.current_version,
            created: false,
            previous_version,
            updated_at: second(record.updated_at),
            grace_period_ends: opt_second(written.grace_period_ends),
        }),
    };
    reply.etag(record.current_version)
}

pub(crate) fn overview(secret: &SecretOverview) -> Reply {
    Reply::json(&overview_view(secret)).etag(secret.record.current_version)
}

pub(crate) fn overview_of(secret: SecretOverview, _input: &Input<'_>) -> Result<Reply> {
    Ok(Reply::json(&overview_view(&secret)))
}

pub(crate) fn overview_view(secret: &SecretOverview) -> wire::SecretMetadata {
    wire::SecretMetadata { path: secret.record.path.clone(), details: details_view(secret) }
}

pub(super) fn details_view(secret: &SecretOverview) -> wire::SecretDetails {
    let record = &secret.record;
    wire::SecretDetails {
        secret_type: record.secret_type.as_str().to_owned(),
        current_version: record.current_version,
        version_count: secret.version_count,
        metadata: metadata_of(&record.metadata),
        created_at: second(record.created_at),
        updated_at: second(record.updated_at),
        expires_at: opt_second(record.expires_at),
        last_accessed_at: opt_second(secret.access.last_accessed_at),
        access_count_30d: secret.access.reads_30d,
        rotation_policy: secret.rotation.as_ref().map(|rotation| wire::RotationState {
            id: rotation.policy_id.clone(),
            next_rotation: opt_second(rotation.next_rotation),
            last_rotated_at: opt_second(rotation.last_rotated_at),
            status: rotation.status.to_owned(),
        }),
        secret_policy_id: record.secret_policy_id.clone(),
        options: wire::SecretOptions {
            max_versions: record.max_versions,
            expires_in: record.expires_in.clone(),
            notify_before: record.notify_before.clone(),
        },
        deleted_at: opt_second(record.trash.map(|trash| trash.deleted_at)),
        recoverable_until: opt_second(record.trash.map(|trash| trash.recoverable_until)),
    }
}

pub(crate) fn version_list(list: VersionList, _input: &Input<'_>) -> Result<Reply> {
    let versions = list.versions.iter().map(|entry| wire::SecretVersion {
        version: entry.version.version,
        created_at: second(entry.version.created_at),
        is_current: entry.state == VersionState::Current,
        state: entry.state.as_str().to_owned(),
        readable_until: opt_second(entry.version.readable_until.filter(|_| entry.state == VersionState::Grace)),
        created_by: entry.version.created_by.clone(),
    });
    Ok(Reply::json(&wire::SecretVersions { path: list.path.clone(), versions: versions.collect() }))
}

pub(crate) fn deleted(deleted: &Deleted) -> Reply {
    match deleted {
        Deleted::Secret(secret) => Reply::json(&wire::SecretDeleted {
            path: secret.path.clone(),
            deleted: true,
            permanent: secret.trash.is_none(),
            deleted_at: opt_second(secret.trash.map(|trash| trash.deleted_at)),
            recoverable_until: opt_second(secret.trash.map(|trash| trash.recoverable_until)),
        }),
        Deleted::Version(version) => Reply::json(&wire::VersionDeleted {
            path: version.path.clone(),
            version: version.version,
            deleted: true,
            current_version: version.current_version,
        }),
    }
}

pub(crate) fn rotated(rotated: &Rotated) -> Reply {
    let record = &rotated.record;
    Reply::json(&wire::SecretRotated {
        path: record.path.clone(),
        version: record.current_version,
        previous_version: rotated.previous_version,
        rotated_at: second(rotated.rotated_at),
        grace_period_ends: second(rotated.grace_period_ends),
        generated: rotated.generated,
        expires_at: opt_second(record.expires_at),
    })
    .etag(record.current_version)
}
