//! `metadata` and `options` of PUT, PATCH and generate (contract 01 sections 1 and 3).

use scaivault_domain::secret::{ExpiryChange, MetadataPatch};
use scaivault_domain::time::Timestamp;
use scaivault_service::FaultCode;
use scaivault_service::secret::{Attach, OptionsChange};

use crate::extract::{Controls, Duration, DurationList, Integer, List, ObjectReader, Patch, Text, TextMap, Time};

const MAX_NOTIFY_BEFORE: usize = 10;

pub(crate) fn metadata_patch(body: &mut ObjectReader<'_>) -> MetadataPatch {
    let mut reader = body.nested("metadata");
    let tag = Text::chars(1..=64).controls(Controls::None);
    MetadataPatch {
        description: reader.patch("description", &Text::max(2000)).into_change(),
        tags: cleared(reader.patch("tags", &List { item: tag, count: 0..=50 })),
        owner: reader.patch("owner", &Text::max(256)).into_change(),
        custom: cleared(
            reader.patch("custom", &TextMap { keys: Text::chars(1..=128), values: Text::max(1024), max_entries: 64 }),
        ),
    }
}

/// `null` is the empty value.
fn cleared<T: Default>(patch: Patch<T>) -> Option<T> {
    patch.into_change().map(Option::unwrap_or_default)
}

/// Also answers `expected_version`, which only PUT has.
pub(crate) fn options_change(
    body: &mut ObjectReader<'_>,
    now: Timestamp,
    with_expected_version: bool,
) -> (OptionsChange, Option<i64>) {
    let mut reader = body.nested("options");
    let expected = if with_expected_version { reader.get("expected_version", &Integer(0..=i64::MAX)) } else { None };
    let change = OptionsChange {
        max_versions: reader.patch("max_versions", &Integer(1..=100)).into_change(),
        expiry: expiry(&mut reader, now),
        rotation_policy: attach(&mut reader, "rotation_policy_id"),
        secret_policy: attach(&mut reader, "secret_policy_id"),
        notify_before: reader.patch("notify_before", &DurationList { max: MAX_NOTIFY_BEFORE }).into_change(),
    };
    (change, expected)
}

fn expiry(reader: &mut ObjectReader<'_>, now: Timestamp) -> Option<ExpiryChange> {
    let expires_in = reader.patch("expires_in", &Duration { positive: true });
    let expires_at = reader.patch("expires_at", &Time);
    if matches!((&expires_in, &expires_at), (Patch::Set(_), Patch::Set(_))) {
        reader.fault("expires_at", FaultCode::Conflict, "cannot stand together with expires_in");
        return None;
    }
    match (expires_in, expires_at) {
        (Patch::Set(span), _) => Some(ExpiryChange::In(span)),
        (_, Patch::Set(at)) if at <= now => {
            reader.fault("expires_at", FaultCode::Range, "must be in the future");
            None
        }
        (_, Patch::Set(at)) => Some(ExpiryChange::At(at)),
        (Patch::Null, _) | (_, Patch::Null) => Some(ExpiryChange::Never),
        (Patch::Absent, Patch::Absent) => None,
    }
}

fn attach(reader: &mut ObjectReader<'_>, field: &str) -> Attach {
    match reader.patch(field, &Text::chars(1..=128)) {
        Patch::Absent => Attach::Keep,
        Patch::Null => Attach::Detach,
        Patch::Set(id) => Attach::To(id),
    }
}
