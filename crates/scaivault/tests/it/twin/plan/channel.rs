//! Who hears of it: webhooks that never send, subscriptions that are polled.

use serde_json::{Map, Value, json};

use super::super::run::{Op, Step};
use super::Pen;
use super::words::{GLOBS, TAGS};

const ADMINS: &[usize] = &[0, 0, 1, 3];
const LISTENERS: &[usize] = &[0, 1, 2, 2, 6, 6];
const EVENTS: &[&str] =
    &["*", "secret.*", "secret.updated", "secret.accessed", "policy.violation", "rotation.*", "nothing.here"];

pub(super) fn next(pen: &mut Pen<'_>) -> Op {
    if pen.percent(30) {
        return Op::Call(webhook(pen));
    }
    Op::Call(subscription(pen))
}

/// Those that are enabled wait for events that never come.
fn webhook(pen: &mut Pen<'_>) -> Step {
    let enabled = pen.percent(50);
    let mut body = json!({
        "name": pen.name(), "enabled": enabled,
        "url": pen.of(&["https://hooks.example/x", "https://hooks.example/\u{e9}", "http://hooks.example/x", "https://127.0.0.1/", "x"]),
        "secret": pen.of(&["0123456789abcdef0123456789abcdef", "\u{1f511}0123456789abcdef", "short"]),
        "events": if enabled { json!(["lease.created"]) } else { json!(pen.chance.some(EVENTS, 3)) },
    });
    if pen.percent(40) {
        body["filters"] = filters(pen);
    }
    let one = format!("/v1/webhooks/{}", pen.any("wh"));
    match pen.chance.below(10) {
        0..4 => pen.with(ADMINS, "POST", "/v1/webhooks".to_owned(), &body),
        4..6 => {
            let field = pen.of(&["name", "url", "filters", "secret"]);
            let part = Map::from_iter([(field.to_owned(), body[field].clone())]);
            pen.with(ADMINS, "PATCH", one, &Value::Object(part))
        }
        6 => pen.step(ADMINS, "DELETE", one),
        7 => pen.step(ADMINS, "GET", format!("{one}/deliveries")),
        _ => pen.step(ADMINS, "GET", one),
    }
}

fn filters(pen: &mut Pen<'_>) -> Value {
    pen.of(&[
        json!({}),
        json!({"tags": ["x"]}),
        json!({"secret_type": "json"}),
        json!({"tags": TAGS}),
        json!({"secret_type": "x"}),
        json!({"path_prefix": "a/"}),
        json!({"tags": ["\u{0}"]}),
    ])
}

fn subscription(pen: &mut Pen<'_>) -> Step {
    let one = format!("/v1/subscriptions/{}", pen.any("sub"));
    let mut body = json!({
        "name": pen.name(), "paths": pen.chance.some(GLOBS, 2), "events": pen.chance.some(EVENTS, 2),
        "delivery": {"type": "polling"},
    });
    if pen.percent(50) {
        (body["paths"], body["events"]) = (json!(["**"]), json!(["*", "secret.accessed"]));
    }
    if pen.percent(40) {
        body["delivery"]["buffer_size"] = json!(pen.of(&[1, 3, 10, 1000, 0]));
    }
    if pen.percent(30) {
        body["filters"] = filters(pen);
    }
    match pen.chance.below(100) {
        0..18 => pen.with(LISTENERS, "POST", "/v1/subscriptions".to_owned(), &body),
        18..26 => {
            let field = pen.of(&["name", "paths", "events", "filters", "enabled", "delivery"]);
            let value = match field {
                "enabled" => json!(pen.percent(60)),
                "delivery" => json!({"buffer_size": pen.of(&[1, 5, 2000])}),
                _ => body[field].clone(),
            };
            let part = Map::from_iter([(field.to_owned(), value)]);
            pen.with(LISTENERS, "PATCH", one, &Value::Object(part))
        }
        26..30 => pen.step(LISTENERS, "DELETE", one),
        30..38 => pen.step(LISTENERS, "GET", one),
        38..75 => {
            let mut target = pen.query(&format!("{one}/poll?timeout=0"), &[]);
            if pen.percent(40) {
                target.push_str(&format!("&since_event_id={}", pen.any("evt")));
            }
            if pen.percent(40) {
                target.push_str(&format!("&max_events={}", pen.of(&["1", "2", "5", "1000", "0"])));
            }
            pen.step(LISTENERS, "GET", target)
        }
        _ => {
            let count = pen.chance.below(4);
            let ids: Vec<String> = (0..count).map(|_| pen.any("evt")).collect();
            pen.with(LISTENERS, "POST", format!("{one}/ack"), &json!({"event_ids": ids}))
        }
    }
}
