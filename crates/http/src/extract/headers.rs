//! The request headers that change what an operation does (contract 00 sections 1 and 7).

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
    IF_NONE_MATCH,
};
use scaivault_service::error::{Code, Error, FaultCode, Result};

use super::Faults;

/// `If-Match`: act only on one of these versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: the secret must exist.
    Any,
    /// The current version must be one of these; each >= 1, never empty.
    Versions(Vec<i64>),
}

/// `If-None-Match`: on a GET, answer 304 if the version to be returned is one of these; on a PUT only `*` has a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfNoneMatch {
    /// `*`: on PUT create only.
    Any,
    /// Each >= 1, never empty.
    Versions(Vec<i64>),
}

/// `If-Match`; a weak or malformed tag is a `format` fault of the header.
pub fn if_match(headers: &HeaderMap, faults: &Faults) -> Option<IfMatch> {
    Some(match tags(headers, &IF_MATCH, "If-Match", faults)? {
        Tags::Any => IfMatch::Any,
        Tags::Versions(versions) => IfMatch::Versions(versions),
    })
}

/// `If-None-Match`; a weak or malformed tag is a `format` fault of the header.
pub fn if_none_match(headers: &HeaderMap, faults: &Faults) -> Option<IfNoneMatch> {
    Some(match tags(headers, &IF_NONE_MATCH, "If-None-Match", faults)? {
        Tags::Any => IfNoneMatch::Any,
        Tags::Versions(versions) => IfNoneMatch::Versions(versions),
    })
}

/// `Idempotency-Key`: 1-128 printable ASCII characters without blanks.
pub fn idempotency_key(headers: &HeaderMap, faults: &Faults) -> Option<String> {
    const NAME: &str = "Idempotency-Key";
    let mut values = headers.get_all(HeaderName::from_static("idempotency-key")).iter();
    let value = values.next()?;
    if values.next().is_some() {
        faults.field(NAME, FaultCode::Conflict, "must not be repeated");
        return None;
    }
    let key = value.to_str().ok().filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic()));
    let key = key.filter(|key| (1..=128).contains(&key.len()));
    if key.is_none() {
        faults.field(NAME, FaultCode::Format, "must be 1 to 128 printable ASCII characters without blanks");
    }
    key.map(str::to_owned)
}

/// The token of `Authorization: Bearer <token>`.
///
/// Errors: 401 `authentication_required` when the header is missing, repeated or anything else (contract 00 section 5).
pub fn bearer(headers: &HeaderMap) -> Result<&str> {
    let required =
        || Error::new(Code::AuthenticationRequired, "Authentication is required: send 'Authorization: Bearer <token>'");
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none()).ok_or_else(required)?;
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(required)?;
    let token = token.trim_matches(' ');
    let good = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty();
    (good && token.bytes().all(|byte| byte.is_ascii_graphic())).then_some(token).ok_or_else(required)
}

/// Which media types a body may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    Json,
    /// PATCH also takes `application/merge-patch+json`.
    JsonOrMergePatch,
}

/// Checks type and encoding of a request that has a body. Without a body there is nothing to check (contract 00 section 10,
/// C-14).
///
/// Errors: 415 `unsupported_media_type` for a missing, repeated or other type, a parameter other than `charset=utf-8`, or a
/// compressed body.
pub fn content_type(headers: &HeaderMap, allowed: BodyType) -> Result<()> {
    let refuse = |message: &str| Err(Error::new(Code::UnsupportedMediaType, message));
    let encoded = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().any(encoded) {
        return refuse("Compressed request bodies are not supported");
    }
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let only = values.next().filter(|_| values.next().is_none());
    match only.and_then(|value| value.to_str().ok()) {
        Some(text) if is_json(text, allowed) => Ok(()),
        _ => refuse("The request body must have 'Content-Type: application/json'"),
    }
}

/// `Cache-Control: no-cache` asks for the database instead of the cache (contract 00 section 1).
pub fn no_cache(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"))
}

fn is_json(text: &str, allowed: BodyType) -> bool {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let known = kind.eq_ignore_ascii_case("application/json")
        || (allowed == BodyType::JsonOrMergePatch && kind.eq_ignore_ascii_case("application/merge-patch+json"));
    known && parts.filter(|part| !part.is_empty()).all(is_utf8_charset)
}

fn is_utf8_charset(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        let value = value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value);
        name.eq_ignore_ascii_case("charset") && value.eq_ignore_ascii_case("utf-8")
    })
}

enum Tags {
    Any,
    Versions(Vec<i64>),
}

fn tags(headers: &HeaderMap, header: &HeaderName, name: &str, faults: &Faults) -> Option<Tags> {
    let mut values = headers.get_all(header).iter().peekable();
    values.peek()?;
    // Several lines of one header are one list (RFC 9110 section 5.2).
    let lines: Option<Vec<&str>> = values.map(|value| value.to_str().ok()).collect();
    let tags = lines.map(|lines| lines.join(",")).and_then(|list| parse_tags(&list));
    if tags.is_none() {
        faults.field(name, FaultCode::Format, "must be * or a list of strong version tags, as \"3\"");
    }
    tags
}

fn parse_tags(list: &str) -> Option<Tags> {
    if list.trim_matches(blank) == "*" {
        return Some(Tags::Any);
    }
    list.split(',').map(|tag| parse_tag(tag.trim_matches(blank))).collect::<Option<Vec<_>>>().map(Tags::Versions)
}

fn blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// `"3"`. Only the text that the server itself would send: `"03"` or `"0"` names no version.
fn parse_tag(tag: &str) -> Option<i64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    let version: i64 = digits.parse().ok()?;
    (version >= 1 && version.to_string() == digits).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        map
    }

    fn read_if_match(values: &[&str]) -> Result<Option<IfMatch>> {
        let faults = Faults::new();
        let tags = if_match(&headers("if-match", values), &faults);
        faults.finish().map(|()| tags)
    }

    #[test]
    fn strong_tags_and_the_star_are_taken() {
        assert_eq!(read_if_match(&[]), Ok(None));
        assert_eq!(read_if_match(&["*"]), Ok(Some(IfMatch::Any)));
        assert_eq!(read_if_match(&["\"3\""]), Ok(Some(IfMatch::Versions(vec![3]))));
        assert_eq!(read_if_match(&["\"3\" ,\t\"12\""]), Ok(Some(IfMatch::Versions(vec![3, 12]))));
        assert_eq!(read_if_match(&["\"3\"", "\"4\""]), Ok(Some(IfMatch::Versions(vec![3, 4]))));
    }

    #[test]
    fn weak_and_malformed_tags_are_faults() {
        for bad in [
            "", "3", "W/\"3\"", "\"\"", "\"0\"", "\"-1\"", "\"+1\"", "\"03\"", "\"a\"", "\"3\",", "*,\"3\"", "\"3",
            "\"é\"",
        ] {
            let error = read_if_match(&[bad]).unwrap_err();
            assert_eq!(error.details()["fields"][0]["field"], "If-Match", "{bad}");
            assert_eq!(error.details()["fields"][0]["code"], "format", "{bad}");
        }
        let faults = Faults::new();
        assert_eq!(if_none_match(&headers("if-none-match", &["*"]), &faults), Some(IfNoneMatch::Any));
    }

    #[test]
    fn idempotency_keys_are_printable() {
        let read = |values: &[&str]| {
            let faults = Faults::new();
            let key = idempotency_key(&headers("idempotency-key", values), &faults);
            faults.finish().map(|()| key)
        };
        assert_eq!(read(&["a-1~!"]), Ok(Some("a-1~!".to_owned())));
        assert_eq!(read(&[]), Ok(None));
        assert!(read(&[&"x".repeat(128)]).is_ok());
        for bad in [
            &["".to_owned()][..],
            &["a b".to_owned()],
            &["x".repeat(129)],
            &["é".to_owned()],
            &["a".to_owned(), "a".to_owned()],
        ] {
            let bad: Vec<&str> = bad.iter().map(String::as_str).collect();
            assert_eq!(read(&bad).unwrap_err().code(), Code::ValidationError, "{bad:?}");
        }
    }

    #[test]
    fn bearer_tokens_need_their_scheme() {
        let read = |values: &[&str]| bearer(&headers("authorization", values)).map(str::to_owned).ok();
        assert_eq!(read(&["Bearer skt_x"]).as_deref(), Some("skt_x"));
        assert_eq!(read(&["bEARER   skt_x"]).as_deref(), Some("skt_x"));
        for bad in ["", "Bearer", "Bearer ", "skt_x", "Basic YTpi", "Bearer a b", "Bearer\tskt_x", "Bearer é"] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
        assert_eq!(read(&["Bearer a", "Bearer b"]), None);
        assert_eq!(bearer(&HeaderMap::new()).unwrap_err().code(), Code::AuthenticationRequired);
    }

    #[test]
    fn c_14_only_json_is_a_body() {
        let json = |values: &[&str]| content_type(&headers("content-type", values), BodyType::Json).is_ok();
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/json;",
        ] {
            assert!(json(&[good]), "{good}");
        }
        for bad in [
            "text/plain",
            "",
            "application/json; charset=latin1",
            "application/json; v=1",
            "application/merge-patch+json",
            "application/jsonx",
        ] {
            assert!(!json(&[bad]), "{bad}");
        }
        assert!(!json(&[]));
        assert!(!json(&["application/json", "application/json"]));
        let patch = headers("content-type", &["application/merge-patch+json"]);
        assert!(content_type(&patch, BodyType::JsonOrMergePatch).is_ok());
        let mut gzip = headers("content-type", &["application/json"]);
        gzip.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(content_type(&gzip, BodyType::Json).unwrap_err().code(), Code::UnsupportedMediaType);
    }

    #[test]
    fn no_cache_may_stand_among_others() {
        assert!(no_cache(&headers("cache-control", &["max-age=0, No-Cache"])));
        assert!(!no_cache(&headers("cache-control", &["max-age=0"])));
    }
}
