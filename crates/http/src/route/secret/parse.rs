//! From requests to operations on one secret.

use scaivault_crypto::SecretString;
use scaivault_domain::secret::SecretType;
use scaivault_service::secret::{
    Delete, DeleteSecret, DeleteVersion, IfMatch, ListVersions, NewValue, PatchSecret, ReadMetadata, ReadSecret,
    RestoreSecret, RotateSecret, Select, WriteSecret,
};
use scaivault_service::{Code, Error, FaultCode, Result};

use super::{metadata_patch, options_change};
use crate::extract::{self, Boolean, Duration, Faults, ObjectReader, Raw, Text, headers, present};
use crate::input::Input;

/// The longest grace of a rotation: 365 days.
const MAX_GRACE_SECONDS: i64 = 365 * 86_400;

pub(crate) fn read(input: &Input<'_>) -> Result<ReadSecret> {
    let faults = Faults::new();
    let path = input.secret_path(&faults);
    let mut query = input.query(&faults);
    // Asked before they are read: a getter takes what it reads.
    let both = query.has("version") && query.has("at");
    let version = query.integer("version", 1..=i64::MAX);
    let at = query.parsed_time("at");
    if both {
        query.fault("at", FaultCode::Conflict, "cannot stand together with version");
    }
    let include_retired = query.boolean("include_retired").unwrap_or(false);
    query.finish();
    let known = headers::if_none_match(input.headers, &faults);
    faults.finish()?;
    let select = match (version, at) {
        (Some(number), _) => Select::Number(number),
        // Without a fraction a time means the whole second (contract 01 section 2).
        (None, Some(at)) if !at.has_fraction => Select::At(at.timestamp.end_of_second()),
        (None, Some(at)) => Select::At(at.timestamp),
        (None, None) => Select::Current,
    };
    let any_known = matches!(known, Some(extract::IfNoneMatch::Any));
    let known_versions = match known {
        Some(extract::IfNoneMatch::Versions(versions)) => versions,
        Some(extract::IfNoneMatch::Any) | None => Vec::new(),
    };
    Ok(ReadSecret { space: input.space, path: present(path)?, select, include_retired, known_versions, any_known })
}

pub(super) fn if_match(input: &Input<'_>, faults: &Faults) -> IfMatch {
    match headers::if_match(input.headers, faults) {
        None => IfMatch::Anything,
        Some(extract::IfMatch::Any) => IfMatch::Exists,
        Some(extract::IfMatch::Versions(versions)) => IfMatch::OneOf(versions),
    }
}

pub(crate) fn secret_type(body: &mut ObjectReader<'_>) -> Option<SecretType> {
    let text = body.get("secret_type", &Text::max(64))?;
    let unknown = || {
        let known: Vec<&str> = SecretType::ALL.iter().map(|one| one.as_str()).collect();
        Error::new(Code::InvalidSecretType, format!("secret_type must be one of {}", known.join(", ")))
            .with("field", "secret_type")
    };
    body.faults().take(SecretType::parse(&text).ok_or_else(unknown))
}

/// The payload, within the server's limit (the tenant's own is looked at later).
fn payload(input: &Input<'_>, data: Option<zeroize::Zeroizing<String>>) -> Result<SecretString> {
    let mut data = present(data)?;
    let limit = input.vault.settings().max_secret_bytes;
    if data.len() > limit {
        let message = format!("The payload may have at most {limit} bytes as compact JSON");
        return Err(Error::new(Code::PayloadTooLarge, message).with("limit_bytes", limit));
    }
    Ok(SecretString::new(std::mem::take(&mut *data)))
}

pub(crate) fn write(input: &Input<'_>) -> Result<WriteSecret> {
    let faults = Faults::new();
    let path = input.secret_path(&faults);
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let data = body.require("data", &Raw);
    let secret_type = secret_type(&mut body);
    let metadata = metadata_patch(&mut body);
    let (options, expected) = options_change(&mut body, input.now, true);
    body.finish();
    let if_match = if_match(input, &faults);
    let create_only = match headers::if_none_match(input.headers, &faults) {
        None => false,
        Some(extract::IfNoneMatch::Any) => true,
        Some(extract::IfNoneMatch::Versions(_)) => {
            faults.field("If-None-Match", FaultCode::Format, "must be * on a write");
            false
        }
    };
    check_agreement(expected, &if_match, create_only, &faults);
    faults.finish()?;
    Ok(WriteSecret {
        space: input.space,
        path: present(path)?,
        data: payload(input, data)?,
        secret_type,
        metadata,
        options,
        if_match,
        create_only: create_only || expected == Some(0),
        expected_version: expected.filter(|version| *version > 0),
    })
}

/// Header and body that contradict each other can't both be meant (contract 00 section 7).
fn check_agreement(expected: Option<i64>, if_match: &IfMatch, create_only: bool, faults: &Faults) {
    let contradicts = match (expected, if_match) {
        (Some(0), IfMatch::Exists | IfMatch::OneOf(_)) => true,
        (Some(version), IfMatch::OneOf(versions)) => versions.as_slice() != [version],
        _ => false,
    };
    if contradicts {
        faults.field("options.expected_version", FaultCode::Conflict, "disagrees with the header If-Match");
    }
    if create_only && (expected.is_some_and(|version| version > 0) || *if_match != IfMatch::Anything) {
        faults.field("If-None-Match", FaultCode::Conflict, "disagrees with another precondition");
    }
}

pub(crate) fn patch(input: &Input<'_>) -> Result<PatchSecret> {
    let faults = Faults::new();
    let path = input.secret_path(&faults);
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&["data", "secret_type"]);
    let metadata = metadata_patch(&mut body);
    let (options, _) = options_change(&mut body, input.now, false);
    body.finish();
    let if_match = if_match(input, &faults);
    faults.finish()?;
    Ok(PatchSecret { space: input.space, path: present(path)?, metadata, options, if_match })
}

/// What a DELETE removes.
pub(crate) fn delete(input: &Input<'_>) -> Result<Delete> {
    let faults = Faults::new();
    let path = input.secret_path(&faults);
    let mut query = input.query(&faults);
    let version = query.integer("version", 1..=i64::MAX);
    let permanent = query.boolean("permanent").unwrap_or(false);
    query.finish();
    let if_match = if_match(input, &faults);
    faults.finish()?;
    let (space, path) = (input.space, present(path)?);
    Ok(match version {
        Some(version) => Delete::Version(DeleteVersion { space, path, version, permanent, if_match }),
        None => Delete::Secret(DeleteSecret { space, path, permanent, if_match }),
    })
}

pub(crate) fn restore(input: &Input<'_>) -> Result<RestoreSecret> {
    let faults = Faults::new();
    let path = input.secret_path(&faults);
    input.query(&faults).finish();
    input.body(&faults).finish();
    faults.finish()?;
    Ok(RestoreSecret { space: input.space, path: present(path)? })
}

pub(crate) fn rotate(input: &Input<'_>) -> Result<RotateSecret> {
    let faults = Faults::new();
    let path = input.secret_path(&faults);
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let reason = body.get("reason", &Text::max(500));
    // Asked before it is read: a getter takes what it reads.
    let has_value = body.has("new_value");
    let new_value = body.get("new_value", &Raw);
    let generate = body.get("generate", &Boolean);
    if has_value && generate == Some(true) {
        body.fault("generate", FaultCode::Conflict, "cannot stand together with new_value");
    }
    if generate == Some(false) && !has_value {
        body.fault("new_value", FaultCode::Required, "is required when nothing is to be generated");
    }
    let grace_period = body.get("grace_period", &Duration { positive: false });
    if grace_period.as_ref().is_some_and(|span| span.seconds() > MAX_GRACE_SECONDS) {
        body.fault("grace_period", FaultCode::Range, "must be at most 365d");
    }
    body.finish();
    let if_match = if_match(input, &faults);
    faults.finish()?;
    let value = match (has_value, generate) {
        (true, _) => NewValue::Given(payload(input, new_value)?),
        (false, Some(true)) => NewValue::Generate,
        (false, _) => NewValue::Unsaid,
    };
    Ok(RotateSecret { space: input.space, path: present(path)?, value, grace_period, reason, if_match })
}

pub(crate) fn versions(input: &Input<'_>) -> Result<ListVersions> {
    let faults = Faults::new();
    let path = input.secret_path(&faults);
    input.query(&faults).finish();
    faults.finish()?;
    Ok(ListVersions { space: input.space, path: present(path)? })
}

pub(crate) fn metadata(input: &Input<'_>) -> Result<ReadMetadata> {
    let faults = Faults::new();
    let path = input.secret_path(&faults);
    let mut query = input.query(&faults);
    let include_deleted = query.boolean("include_deleted").unwrap_or(false);
    query.finish();
    faults.finish()?;
    Ok(ReadMetadata { space: input.space, path: present(path)?, include_deleted })
}
