//! An answer that is an error, as one line: code, message, request id, what to do next.

use std::error::Error;
use std::fmt::Write as _;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use scaivault_api::error::{ErrorBody, ErrorEnvelope};
use serde_json::Value;

use crate::failure::{AUTHENTICATION, AUTHORIZATION, Failure, GENERAL, NOT_FOUND, USAGE, one_line};

/// Contract 13 section 1.
fn exit_code(status: u16) -> u8 {
    match status {
        401 => AUTHENTICATION,
        403 => AUTHORIZATION,
        404 | 410 => NOT_FOUND,
        400 | 413 | 415 | 422 => USAGE,
        _ => GENERAL,
    }
}

pub(super) fn failure(status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
    let line = match serde_json::from_slice::<ErrorEnvelope>(body) {
        Ok(ErrorEnvelope { error }) => told(&error, headers),
        Err(_) if (300..400).contains(&status) => {
            format!("the server sent {status}, a redirect, which is not followed: set --url to where the server is")
        }
        Err(_) => {
            format!("status {status} with an answer that is not ScaiVault's: is something else at --url, or between?")
        }
    };
    Failure { exit_code: exit_code(status), line: one_line(line) }
}

fn told(error: &ErrorBody, headers: &HeaderMap) -> String {
    let mut line = format!("{}: {}", error.code, error.message.trim_end_matches('.'));
    for (field, message) in faults(error) {
        let _ = write!(line, "; {field}: {message}");
    }
    let _ = write!(line, " (request {})", error.request_id);
    if let Some(advice) = advice(error, headers) {
        let _ = write!(line, "; {advice}");
    }
    line
}

/// The fields of a 422.
fn faults(error: &ErrorBody) -> Vec<(&str, &str)> {
    let fields = error.details.as_ref().and_then(|details| details.get("fields")).and_then(Value::as_array);
    fields.into_iter().flatten().filter_map(fault).collect()
}

fn fault(field: &Value) -> Option<(&str, &str)> {
    Some((field.get("field")?.as_str()?, field.get("message")?.as_str()?))
}

/// What to do next, where there is something to do.
fn advice(error: &ErrorBody, headers: &HeaderMap) -> Option<String> {
    let detail = |name: &str| error.details.as_ref().and_then(|details| details.get(name));
    let text = |name: &str| detail(name).and_then(Value::as_str);
    let fixed = match error.code.as_str() {
        "authentication_required" => "give a token: SCAIVAULT_TOKEN, or scaivault auth login --token -",
        "token_invalid" | "token_expired" | "token_revoked" => "get another token, then scaivault auth login --token -",
        "insufficient_scope" => {
            let scopes: Vec<&str> = detail("required")?.as_array()?.iter().filter_map(Value::as_str).collect();
            return Some(format!("use a token that has the scope {}", scopes.join(", ")));
        }
        "access_denied" => {
            let permission = text("permission")?;
            return Some(format!("ask an administrator for a policy that permits {permission} there"));
        }
        "mfa_required" => "confirm your second factor, then try again",
        "tenant_access_denied" | "tenant_not_found" => "look at --tenant and SCAIVAULT_TENANT_ID",
        "not_found" => "this server has no such route: is it older than this program, and is --url right?",
        "secret_not_found" => "scaivault secrets list --prefix shows what is there",
        "version_not_found" => "scaivault secrets versions shows which there are",
        "secret_expired" => "write or rotate it to renew it",
        "secret_exists" if text("recoverable_until").is_some() => {
            "scaivault secrets restore brings the deleted one back, scaivault secrets delete --hard ends it"
        }
        "version_conflict" => {
            let current = detail("current_version")?;
            return Some(format!("version {current} is current: look at it, then repeat with --if-version {current}"));
        }
        "policy_in_use" => "--force removes its bindings or uses too",
        "rate_limited" => {
            return Some(retry_after(headers).map_or_else(|| "try again later".to_owned(), again_in));
        }
        "service_unavailable" if text("reason") == Some("sealed") => "an operator opens it with scaivault unseal",
        "service_unavailable" => {
            return Some(retry_after(headers).map_or_else(|| "try again later".to_owned(), again_in));
        }
        "internal_error" => "try again once; the request id tells the operator where to look",
        _ => return None,
    };
    Some(fixed.to_owned())
}

fn again_in(seconds: u64) -> String {
    format!("try again in {seconds} s")
}

/// Whole seconds; the other form, a date, is not what this server sends.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

pub(super) fn request_id(headers: &HeaderMap) -> &str {
    headers.get("X-Request-ID").and_then(|id| id.to_str().ok()).unwrap_or("no request id")
}

/// The outer errors say "error sending request"; the inner one says why.
pub(super) fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(status: u16, code: &str, details: Value) -> (u8, String) {
        let body = json!({"error": {"code": code, "message": "Text.", "details": details, "request_id": "req_1"}});
        let Failure { exit_code, line } = failure(status, &HeaderMap::new(), body.to_string().as_bytes());
        (exit_code, line)
    }

    #[test]
    fn a_line_has_code_message_request_and_advice() {
        let (code, text) = line(409, "version_conflict", json!({"current_version": 4}));
        assert_eq!(code, 1);
        assert_eq!(
            text,
            "version_conflict: Text (request req_1); version 4 is current: look at it, then repeat with --if-version 4"
        );
        let fields = json!({"fields": [{"field": "a", "code": "range", "message": "too\nlong"}, {"field": "b"}]});
        assert_eq!(
            line(422, "validation_error", fields),
            (5, "validation_error: Text; a: too long (request req_1)".to_owned())
        );
    }

    #[test]
    fn statuses_have_their_exit_codes() {
        let codes = [401, 403, 404, 410, 400, 413, 415, 422, 409, 429, 500, 503].map(exit_code);
        assert_eq!(codes, [2, 3, 4, 4, 5, 5, 5, 5, 1, 1, 1, 1]);
        assert!(failure(502, &HeaderMap::new(), b"<html>").line.starts_with("status 502 "));
        assert!(failure(301, &HeaderMap::new(), b"").line.contains("redirect"));
    }
}
