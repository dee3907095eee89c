//! `/v1/secrets/batch`: many paths in one request (contract 08).

use std::collections::{BTreeMap, HashSet};

use scaivault_api::batch as wire;
use scaivault_domain::access::Space;
use scaivault_domain::glob::Glob;
use scaivault_domain::path::SecretPath;
use scaivault_service::secret::{
    ManyMetadata, ReadManyMetadata, ReadSecret, ReadSecrets, ReadWithMetadata, Select, ValueWithMetadata,
};
use scaivault_service::{Code, Error, Found, Part, Result};

use super::render::{details_view, overview_view, payload};
use crate::extract::{Boolean, Controls, Faults, Integer, List, ObjectReader, Text, present};
use crate::input::{Input, invalid_path};
use crate::reply::Reply;

const MOST_PATHS: usize = 100;

/// Any text: what is no path is the error of that path, not of the request. Each comes once.
fn paths(body: &mut ObjectReader<'_>) -> Option<Vec<String>> {
    let any_text = Text::max(usize::MAX).controls(Controls::Any);
    let paths = body.require("paths", &List { item: any_text, count: 1..=MOST_PATHS })?;
    let mut seen = HashSet::new();
    Some(paths.into_iter().filter(|path| seen.insert(path.clone())).collect())
}

fn secret_path(text: &str) -> Result<SecretPath> {
    SecretPath::parse(text).map_err(|error| invalid_path(&error))
}

pub(crate) fn read(input: &Input<'_>) -> Result<ReadSecrets> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let paths = paths(&mut body);
    let mut options = body.nested("options");
    let include_metadata = options.get("include_metadata", &Boolean).unwrap_or(false);
    let fail_fast = options.get("fail_fast", &Boolean).unwrap_or(false);
    let version = options.get("version", &Integer(1..=i64::MAX));
    options.finish();
    body.finish();
    faults.finish()?;
    let select = version.map_or(Select::Current, Select::Number);
    let part = |name: String| {
        let query = secret_path(&name).map(|path| ReadWithMetadata {
            read: ReadSecret {
                space: Space::Tenant,
                path,
                select,
                include_retired: false,
                known_versions: Vec::new(),
                any_known: false,
            },
            include_metadata,
        });
        Part { name, query }
    };
    Ok(ReadSecrets { parts: present(paths)?.into_iter().map(part).collect(), fail_fast })
}

pub(crate) fn values(found: Found<ValueWithMetadata>, _input: &Input<'_>) -> Result<Reply> {
    let (mut secrets, mut errors) = (BTreeMap::new(), BTreeMap::new());
    for (name, result) in found {
        match result {
            Ok(found) => drop(secrets.insert(name, item(&found)?)),
            Err(error) => drop(errors.insert(name, error_view(&error))),
        }
    }
    let (success_count, error_count) = (secrets.len(), errors.len());
    Ok(Reply::json(&wire::BatchValues { secrets, errors, success_count, error_count }).no_store())
}

fn item(found: &ValueWithMetadata) -> Result<wire::BatchItem> {
    let (data, version) = (payload(&found.value)?, found.value.version.version);
    Ok(match &found.overview {
        Some(overview) => {
            let details = details_view(overview);
            wire::BatchItem::Full(Box::new(wire::BatchFullSecret { data, version, details }))
        }
        None => {
            let secret_type = found.value.record.secret_type.as_str().to_owned();
            wire::BatchItem::Minimal(wire::BatchSecret { data, version, secret_type })
        }
    })
}

fn error_view(error: &Error) -> wire::BatchError {
    wire::BatchError {
        code: error.code().as_str().to_owned(),
        message: error.message().to_owned(),
        details: error.details().clone(),
    }
}

pub(crate) fn metadata(input: &Input<'_>) -> Result<ReadManyMetadata> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let names = paths(&mut body);
    let mut options = body.nested("options");
    let expand = options.get("expand_wildcards", &Boolean).unwrap_or(false);
    options.finish();
    body.finish();
    faults.finish()?;
    let mut wanted = ReadManyMetadata { paths: Vec::new(), globs: Vec::new() };
    for name in present(names)? {
        if expand && name.contains(['*', '?']) {
            match Glob::parse(&name) {
                Ok(glob) => wanted.globs.push(glob),
                Err(error) => {
                    let invalid = invalid_glob(&name, error.reason);
                    wanted.paths.push((name, Err(invalid)));
                }
            }
        } else {
            let path = secret_path(&name);
            wanted.paths.push((name, path));
        }
    }
    Ok(wanted)
}

fn invalid_glob(pattern: &str, reason: &str) -> Error {
    Error::new(Code::InvalidGlob, format!("The pattern is not a valid glob: {reason}"))
        .with("pattern", pattern)
        .with("reason", reason)
}

pub(crate) fn overviews(many: ManyMetadata, _input: &Input<'_>) -> Result<Reply> {
    let secrets: BTreeMap<_, _> =
        many.secrets.iter().map(|(path, overview)| (path.clone(), overview_view(overview))).collect();
    let errors: BTreeMap<_, _> = many.errors.iter().map(|(name, error)| (name.clone(), error_view(error))).collect();
    let (success_count, error_count) = (secrets.len(), errors.len());
    Ok(Reply::json(&wire::BatchOverviews { secrets, errors, success_count, error_count, truncated: many.truncated }))
}
