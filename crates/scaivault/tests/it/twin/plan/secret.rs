//! Secrets: values, versions, metadata, their ends and their moves.

use serde_json::{Map, Value, json};

use super::super::run::{Op, Step};
use super::Pen;
use super::words::{DURATIONS, FOLDERS, PATHS};

/// Who has rights on secrets, by number in the cast.
const WRITERS: &[usize] = &[0, 1, 2, 2, 2, 3, 4];
const PARTNERS: &[usize] = &[0, 0, 3, 2];
const TYPES: &[&str] = &["kv", "json", "certificate", "ssh_key", "api_key", "json", "kv", "password"];

pub(super) fn next(pen: &mut Pen<'_>) -> Op {
    let base = if pen.percent(12) { "/v1/partner/secrets" } else { "/v1/secrets" };
    Op::Call(match pen.chance.below(100) {
        0..32 => put(pen, base),
        32..54 => get(pen, base),
        54..62 => patch(pen, base),
        62..70 => delete(pen, base),
        70..74 => {
            let target = format!("{base}/{}/restore", pen.path());
            pen.step(WRITERS, "POST", target)
        }
        74..82 => rotate(pen, base),
        82..91 => relocate(pen, base),
        _ => return batch(pen),
    })
}

fn usual(base: &str) -> &'static [usize] {
    if base.contains("partner") { PARTNERS } else { WRITERS }
}

fn put(pen: &mut Pen<'_>, base: &str) -> Step {
    let mut body = Map::new();
    if !pen.percent(2) {
        body.insert("data".to_owned(), pen.data());
    }
    if pen.percent(35) {
        body.insert("secret_type".to_owned(), json!(pen.of(TYPES)));
    }
    if pen.percent(50) {
        body.insert("metadata".to_owned(), pen.metadata());
    }
    if pen.percent(50) {
        body.insert("options".to_owned(), pen.options(true));
    }
    let target = format!("{base}/{}", pen.path());
    let mut step = pen.with(usual(base), "PUT", target, &Value::Object(body));
    precondition(pen, &mut step, true);
    step
}

fn precondition(pen: &mut Pen<'_>, step: &mut Step, creates: bool) {
    match pen.chance.below(100) {
        0..8 => step.headers.push(("if-match", format!("\"{}\"", pen.chance.below(6)))),
        8..11 => step.headers.push(("if-match", "*".to_owned())),
        11 => step.headers.push(("if-match", "W/\"1\"".to_owned())),
        12..18 if creates => step.headers.push(("if-none-match", "*".to_owned())),
        _ => {}
    }
}

fn get(pen: &mut Pen<'_>, base: &str) -> Step {
    let path = pen.path();
    let target = match pen.chance.below(100) {
        0..30 => format!("{base}/{path}"),
        30..55 => format!(
            "{base}/{path}?version={}",
            pen.of(&["1", "2", "3", "4", "5", "7", "0", "-1", "99", "x", "9223372036854775808"])
        ),
        55..62 => {
            let times = [
                "2026-05-01T10:00:00Z",
                "2026-05-02T10:00:00.5Z",
                "2026-05-20T00:00:00%2B02:00",
                "2030-01-01T00:00:00Z",
                "yesterday",
            ];
            format!("{base}/{path}?at={}", pen.of(&times))
        }
        62..70 => format!("{base}/{path}?include_retired=true&version={}", pen.chance.below(6)),
        70..85 => pen.query(&format!("{base}/metadata/{path}"), &[("include_deleted", &["true", "false", "1"], 30)]),
        _ => format!("{base}/{path}/versions"),
    };
    let method = if pen.percent(4) { "HEAD" } else { "GET" };
    let mut step = pen.step(usual(base), method, target);
    if pen.percent(8) {
        step.headers.push(("if-none-match", pen.of(&["\"1\"", "\"2\", \"3\"", "*", "x"]).to_owned()));
    }
    if pen.percent(8) {
        step.headers.push(("cache-control", "no-cache".to_owned()));
    }
    if pen.percent(5) {
        step.headers
            .push(("user-agent", pen.of(&["gr\u{fc}n \u{1f511}", "tab\there", "a \"q\" \\", "\u{202e}x"]).to_owned()));
    }
    step
}

fn patch(pen: &mut Pen<'_>, base: &str) -> Step {
    let mut body = Map::new();
    if pen.percent(70) {
        body.insert("metadata".to_owned(), pen.metadata());
    }
    if pen.percent(50) {
        body.insert("options".to_owned(), pen.options(false));
    }
    let target = format!("{base}/{}", pen.path());
    let mut step = pen.with(usual(base), "PATCH", target, &Value::Object(body));
    precondition(pen, &mut step, false);
    step
}

fn delete(pen: &mut Pen<'_>, base: &str) -> Step {
    let path = pen.path();
    let target = match pen.chance.below(10) {
        0..5 => format!("{base}/{path}"),
        5..8 => format!("{base}/{path}?version={}", pen.chance.below(6)),
        8 => format!("{base}/{path}?permanent=true"),
        _ => format!("{base}/{path}?permanent=true&version={}", pen.chance.below(4)),
    };
    let mut step = pen.step(usual(base), "DELETE", target);
    precondition(pen, &mut step, false);
    step
}

fn rotate(pen: &mut Pen<'_>, base: &str) -> Step {
    let mut body = Map::new();
    if pen.percent(60) {
        body.insert("new_value".to_owned(), pen.data());
    } else if pen.percent(60) {
        body.insert("generate".to_owned(), json!(true));
    }
    if pen.percent(40) {
        body.insert("reason".to_owned(), pen.text());
    }
    if pen.percent(40) {
        body.insert("grace_period".to_owned(), json!(pen.of(DURATIONS)));
    }
    let target = format!("{base}/{}/rotate", pen.path());
    let mut step = pen.with(usual(base), "POST", target, &Value::Object(body));
    precondition(pen, &mut step, false);
    step
}

fn relocate(pen: &mut Pen<'_>, base: &str) -> Step {
    let how = if pen.distinct { "move" } else { pen.of(&["move", "copy"]) };
    let recursive = pen.percent(35);
    let (from, to) = if recursive {
        (pen.of(FOLDERS), pen.of(FOLDERS))
    } else {
        (pen.path(), if pen.percent(10) { pen.of(FOLDERS) } else { pen.path() })
    };
    let mut body = json!({"destination": to});
    if recursive {
        body["recursive"] = json!(true);
    }
    if how == "copy" && pen.percent(40) {
        body["include_versions"] = json!(pen.percent(50));
    }
    let target = format!("{base}/{from}/{how}");
    let mut step = pen.with(usual(base), "POST", target, &body);
    precondition(pen, &mut step, false);
    step
}

fn batch(pen: &mut Pen<'_>) -> Op {
    let mut paths: Vec<Value> = pen.chance.some(PATHS, 12).into_iter().map(|path| json!(path)).collect();
    let of_metadata = pen.percent(40);
    if of_metadata && pen.percent(50) {
        paths.push(json!(pen.of(super::words::GLOBS)));
    }
    if pen.percent(8) {
        paths.push(pen.of(&[json!("a//b"), json!(1), json!("nul\u{0}"), json!("batch")]));
    }
    let mut body = json!({"paths": paths});
    if of_metadata {
        body["options"] = json!({"expand_wildcards": pen.percent(70)});
        return Op::Call(pen.with(WRITERS, "POST", "/v1/secrets/batch/metadata".to_owned(), &body));
    }
    if pen.percent(60) {
        body["options"] = json!({"include_metadata": pen.percent(50), "fail_fast": pen.percent(20)});
        if pen.percent(20) {
            body["options"]["version"] = json!(pen.chance.below(4));
        }
    }
    Op::Call(pen.with(WRITERS, "POST", "/v1/secrets/batch".to_owned(), &body))
}
