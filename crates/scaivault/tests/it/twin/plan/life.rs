//! What happens to secrets by themselves: recipes, rotation policies, schedules.

use serde_json::{Map, Value, json};

use super::super::run::{Op, Step};
use super::Pen;
use super::words::PATHS;

const ADMINS: &[usize] = &[0, 0, 1, 3];

pub(super) fn next(pen: &mut Pen<'_>) -> Op {
    Op::Call(match pen.chance.below(100) {
        0..40 => recipe(pen),
        40..68 => schedule(pen),
        68..86 => attach(pen),
        _ if pen.distinct => recipe(pen),
        _ => rotate(pen),
    })
}

fn fields(pen: &mut Pen<'_>) -> Value {
    let field = |pen: &mut Pen<'_>| {
        let name = pen.of(&["password", "api_key", "private_key", "x.y-z", "a b"]);
        let (generator, config) = pen.of(&[
            ("random", json!({"length": 24, "charset": "safe", "require_upper": true})),
            ("random", json!({"length": 16})),
            ("random", json!({"length": 12, "charset": "numeric", "require_upper": true})),
            ("hex", json!({"length": 32})),
            ("uuid", json!({})),
            ("uuid", json!({"version": 7})),
            ("template", json!({"template": "db-{{random:20}}-{{timestamp}}"})),
            ("template", json!({"template": "{{env:HOME}}"})),
            ("ssh_keypair", json!({"comment": "c"})),
            ("bcrypt_hash", json!({"length": 20, "rounds": 4})),
            ("static", json!({"value": "v:static \u{1f511}\u{0}"})),
            ("magic", json!({})),
        ]);
        json!({"name": name, "generator": generator, "config": config})
    };
    let count = 1 + pen.chance.below(2);
    Value::Array((0..count).map(|_| field(pen)).collect())
}

fn recipe(pen: &mut Pen<'_>) -> Step {
    let mut body = json!({"name": pen.name(), "fields": fields(pen)});
    if pen.percent(30) {
        body["description"] = pen.text();
    }
    if pen.percent(15) {
        body["is_active"] = json!(pen.percent(50));
    }
    let id = pen.any("sp");
    let one = format!("/v1/secret-policies/{id}");
    match pen.chance.below(100) {
        0..35 => pen.with(ADMINS, "POST", "/v1/secret-policies".to_owned(), &body),
        35..41 => pen.with(ADMINS, "PUT", one, &body),
        41..48 => {
            let field = pen.of(&["name", "fields", "description", "is_active"]);
            let part = Map::from_iter([(field.to_owned(), body[field].clone())]);
            pen.with(ADMINS, "PATCH", one, &Value::Object(part))
        }
        48..54 => {
            let target = pen.query(&one, &[("force", &["true", "false"], 50)]);
            pen.step(ADMINS, "DELETE", target)
        }
        54..60 => pen.step(ADMINS, "GET", one),
        60..68 => pen.with(ADMINS, "POST", format!("{one}/preview"), &json!({})),
        68..74 => {
            pen.with(ADMINS, "POST", "/v1/secret-policies/preview".to_owned(), &json!({"fields": body["fields"]}))
        }
        _ => {
            let mut body = json!({"path": pen.path()});
            if pen.percent(30) {
                body["metadata"] = pen.metadata();
            }
            if pen.percent(30) {
                body["options"] = pen.options(true);
            }
            pen.with(&[0, 1, 2], "POST", format!("{one}/generate"), &body)
        }
    }
}

fn schedule(pen: &mut Pen<'_>) -> Step {
    let mut body = json!({"name": pen.name(), "interval": pen.of(&["2d", "7d", "30d", "90d", "2d", "10s", "90"])});
    if pen.percent(40) {
        body["grace_period"] = json!(pen.of(&["0s", "1h", "1d", "48h", "90d"]));
    }
    if pen.percent(40) {
        body["warn_before"] = pen.of(&[json!("1d,1h"), json!(["1h", "1d"]), json!("x"), json!([])]);
    }
    if pen.percent(50) {
        body["auto_generate"] = json!(pen.percent(70));
    }
    if pen.percent(40) {
        body["secret_policy_id"] = json!(pen.any("sp"));
    }
    if pen.percent(20) {
        // Of the cast, and never enabled: nothing is sent.
        body["webhook_ids"] = pen.of(&[json!(["⟦quiet:0⟧"]), json!([]), json!(["wh_none"])]);
    }
    let one = format!("/v1/rotation/policies/{}", pen.any("rot"));
    match pen.chance.below(10) {
        0..5 => pen.with(ADMINS, "POST", "/v1/rotation/policies".to_owned(), &body),
        5 => {
            let field =
                pen.of(&["name", "interval", "grace_period", "warn_before", "auto_generate", "secret_policy_id"]);
            let part = Map::from_iter([(field.to_owned(), body[field].clone())]);
            pen.with(ADMINS, "PATCH", one, &Value::Object(part))
        }
        6 => pen.step(ADMINS, "DELETE", one),
        7 => {
            let turn = pen.of(&["enable", "enable", "disable"]);
            pen.step(ADMINS, "POST", format!("{one}/{turn}"))
        }
        _ => pen.step(ADMINS, "GET", one),
    }
}

fn attach(pen: &mut Pen<'_>) -> Step {
    let one = format!("/v1/rotation/policies/{}/secrets", pen.any("rot"));
    let path = pen.path();
    if pen.percent(30) {
        let path = if pen.percent(50) { path.replace('/', "%2F") } else { path.to_owned() };
        return pen.step(ADMINS, "DELETE", format!("{one}/{path}"));
    }
    pen.with(ADMINS, "POST", one, &json!({"secret_path": path}))
}

fn rotate(pen: &mut Pen<'_>) -> Step {
    let one = format!("/v1/rotation/policies/{}/rotate", pen.any("rot"));
    let mut body = Map::new();
    if pen.percent(60) {
        body.insert("secret_paths".to_owned(), json!(pen.chance.some(PATHS, 6)));
    }
    if pen.percent(40) {
        body.insert("reason".to_owned(), pen.text());
    }
    pen.with(&[0, 1, 2], "POST", one, &Value::Object(body))
}
