//! What random clients say.

use serde_json::{Map, Value, json};

use super::super::pair::WRITTEN;
use super::Pen;

pub(super) const PATHS: &[&str] = &[
    "a",
    "A",
    "a-b",
    "a_b",
    "a.b",
    "ab",
    "a/b",
    "a/B",
    "a/b/c",
    "a/b-c",
    "a/b_c",
    "a/b.c",
    "a/bc",
    "a/1",
    "a/10",
    "a/2",
    "a0/x",
    "a-/x",
    "B/x",
    "b/x",
    "b/X",
    "_/x",
    "-/x",
    "./x",
    ".x/y",
    "Z",
    "z",
    "team/one/db",
    "team/one/api",
    "team/two/db",
    "team/ONE/db",
];
pub(super) const FOLDERS: &[&str] =
    &["a", "a/b", "b", "B", "team", "team/one", "team/two", "moved", "moved/on", "none"];
pub(super) const GLOBS: &[&str] =
    &["**", "a/**", "a/*", "team/*/db", "?/x", "team/one/**", "A", "b/x", "[x", "/a", "a/**b"];
pub(super) const PREFIXES: &[&str] =
    &["a", "a/", "a/b", "A", "team/", "team/o", "b", "_", "-", ".", "none", "a//b", "%C3%A9", "a*"];
pub(super) const TAGS: &[&str] =
    &["x", "X", "prod", "Prod", "\u{e9}", "e\u{301}", "\u{1f511}", "\u{5e9}\u{5dc}", "a b", "%", "_", "\\", "'"];
pub(super) const DURATIONS: &[&str] =
    &["1s", "60s", "1h", "6h", "1d", "2d", "10d", "30d", "1w2d", "0s", "90 days", "-1d", "1.5h", "36501d"];

/// Texts that a database may take for something else.
const TEXTS: &[&str] = &[
    "",
    "plain",
    "Gr\u{fc}n",
    "gr\u{dc}N",
    "\u{1f511}\u{1f468}\u{200d}\u{1f4bb}",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{202e}abc",
    "tab\tand\nline",
    "nul\u{0}inside",
    "\u{1b}[31m",
    "\u{7f}\u{80}\u{9f}",
    "\u{feff}bom",
    "\u{fffd}\u{ffff}",
    "\u{10ffff}",
    "'; DROP TABLE secret; --",
    "100%_\\",
    "\"quoted\"",
    " ends ",
    "\u{130}\u{131}\u{df}\u{1e9e}",
    "\\u0000",
    "\\x00",
    "$1 ?1",
];

impl Pen<'_> {
    /// Half of them are few, so that one secret has a long life.
    pub(super) fn path(&mut self) -> &'static str {
        if self.percent(50) { self.of(&PATHS[6..14]) } else { self.of(PATHS) }
    }

    /// Also what is none.
    pub(super) fn text(&mut self) -> Value {
        match self.chance.below(40) {
            0 => Value::Null,
            1 => json!("x".repeat(2000)),
            2 => json!("\u{e9}".repeat(2001)),
            3 => json!(7),
            4 => json!("\u{1f511}".repeat(64)),
            _ => json!(self.of(TEXTS)),
        }
    }

    pub(super) fn name(&mut self) -> Value {
        match self.chance.below(12) {
            0 => self.text(),
            1 => json!("x".repeat(129)),
            _ => json!(format!(
                "{}{}",
                self.of(&["one", "One", "two", "Gr\u{fc}n", "a b", "a_b", "a-b", "\u{5e9}\u{5dc}"]),
                self.chance.below(5)
            )),
        }
    }

    /// A value that nobody else ever writes.
    pub(super) fn value(&mut self) -> String {
        *self.written += 1;
        let text = self.of(TEXTS);
        format!("{WRITTEN}{} {text}", self.written)
    }

    pub(super) fn data(&mut self) -> Value {
        let value = self.value();
        match self.chance.below(14) {
            0 => json!({}),
            1 => json!({"z": value, "a": 1.5, "m": {"n": [null, true, -0.0, 12_345_678_901_234_567_890_u64]}}),
            2 => json!({"": value, "nul\u{0}": "\u{0}", "\u{1f511}": ["\u{202e}"]}),
            3 => json!({"big": format!("{value}{}", "y".repeat(self.chance.below(20_000)))}),
            4 => self.of(&[json!([]), json!("x"), Value::Null, json!(1)]),
            5 => json!({"username": "u", "password": value}),
            6 => json!({"one": value, "two": "v:two"}),
            _ => json!({"password": value}),
        }
    }

    pub(super) fn tags(&mut self) -> Value {
        match self.chance.below(20) {
            0 => json!(["nul\u{0}"]),
            1 => json!([""]),
            2 => json!(["x".repeat(65)]),
            3 => Value::Null,
            _ => json!(self.chance.some(TAGS, 4)),
        }
    }

    pub(super) fn metadata(&mut self) -> Value {
        let mut given = Map::new();
        if self.percent(50) {
            given.insert("description".to_owned(), self.text());
        }
        if self.percent(70) {
            given.insert("tags".to_owned(), self.tags());
        }
        if self.percent(30) {
            given.insert("owner".to_owned(), self.text());
        }
        if self.percent(30) {
            let (key, value) = (self.of(TEXTS), self.text());
            given.insert("custom".to_owned(), json!({key: value, "b": "2", "a": "1"}));
        }
        Value::Object(given)
    }

    /// Of a write or a PATCH.
    pub(super) fn options(&mut self, writes: bool) -> Value {
        let mut given = Map::new();
        let mut put = |name: &str, value: Value| {
            given.insert(name.to_owned(), value);
        };
        if self.percent(30) {
            put("max_versions", self.of(&[json!(1), json!(2), json!(3), json!(10), json!(100), json!(0), json!("5")]));
        }
        if self.percent(25) {
            put("expires_in", if self.percent(15) { Value::Null } else { json!(self.of(DURATIONS)) });
        } else if self.percent(15) {
            *self.written += 1;
            let second = format!(
                "2026-06-{:02}T00:{:02}:{:02}Z",
                1 + self.below(9),
                *self.written / 60 % 60,
                *self.written % 60
            );
            put(
                "expires_at",
                self.of(&[
                    json!(second),
                    json!(second),
                    json!("2026-05-10T12:00:00+02:00"),
                    Value::Null,
                    json!("2020-01-01T00:00:00Z"),
                    json!("soon"),
                ]),
            );
        }
        if self.percent(25) {
            put("rotation_policy_id", if self.percent(15) { Value::Null } else { json!(self.any("rot")) });
        }
        if self.percent(15) {
            put("secret_policy_id", if self.percent(15) { Value::Null } else { json!(self.any("sp")) });
        }
        if self.percent(10) {
            put("notify_before", self.of(&[json!("1d,1h"), json!(["2d"]), json!("x"), json!("")]));
        }
        if writes && self.percent(12) {
            put("expected_version", json!(self.chance.below(5)));
        }
        Value::Object(given)
    }
}
