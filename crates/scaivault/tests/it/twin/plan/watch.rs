//! Lists to their ends, and the audit trail.

use super::super::run::Op;
use super::Pen;
use super::words::{PATHS, PREFIXES};

const READERS: &[usize] = &[0, 1, 2, 3, 4, 5];
const ADMINS: &[usize] = &[0, 0, 1, 3, 9];
const LIMITS: &[&str] = &["1", "2", "3", "7", "200", "0", "201"];
const BOOL: &[&str] = &["true", "true", "false", "yes"];
const TIMES: &[&str] =
    &["2026-05-01T10:00:00Z", "2026-05-02T00:00:00Z", "2026-06-01T00:00:00%2B02:00", "2027-01-01T00:00:00Z", "now"];

pub(super) fn next(pen: &mut Pen<'_>) -> Op {
    match pen.chance.below(100) {
        0..45 => secrets(pen),
        45..75 => audit(pen),
        _ => others(pen),
    }
}

fn secrets(pen: &mut Pen<'_>) -> Op {
    let base = if pen.percent(15) { "/v1/partner/secrets" } else { "/v1/secrets" };
    if pen.percent(15) {
        let choices: &[(&str, &[&str], usize)] = &[
            ("days", &["1", "30", "3650", "0"], 70),
            ("prefix", PREFIXES, 25),
            ("include_expired", BOOL, 40),
            ("limit", LIMITS, 50),
        ];
        let target = pen.query(&format!("{base}/expiring"), choices);
        return Op::Walk(pen.step(READERS, "GET", target));
    }
    let tags: &[&str] =
        &["x", "X", "prod", "%C3%A9", "e%CC%81", "%F0%9F%94%91", "a%20b", "%25", "_", "%5C", "%27", "%00", ""];
    let words: &[&str] = &[
        "a",
        "A",
        "gr%C3%BC",
        "GR%C3%9C",
        "%25",
        "_",
        "%5C",
        "%27",
        "%00",
        "team:",
        "%F0%9F%94%91",
        "%C3%9F",
        "%C4%B1",
        "nul",
        "",
    ];
    let choices: &[(&str, &[&str], usize)] = &[
        ("prefix", PREFIXES, 35),
        ("tag", tags, 20),
        ("tag", tags, 10),
        ("secret_type", &["kv", "json", "x"], 12),
        ("expires_before", TIMES, 8),
        ("updated_after", TIMES, 8),
        ("include_expired", BOOL, 35),
        ("include_deleted", BOOL, 30),
        ("include_metadata", BOOL, 25),
        ("q", words, 20),
        ("owner", &["plain", "Gr%C3%BCn", "nul%00inside"], 6),
        ("delimiter", &["/", "/", "-"], 20),
        ("sort", &["path", "updated_at", "updated_at", "x"], 30),
        ("limit", LIMITS, 70),
    ];
    let target = pen.query(base, choices);
    Op::Walk(pen.step(READERS, "GET", target))
}

fn audit(pen: &mut Pen<'_>) -> Op {
    let times: &[(&str, &[&str], usize)] =
        &[("from", TIMES, 15), ("to", TIMES, 15), ("limit", &["20", "100", "1000", "1001"], 60)];
    match pen.chance.below(10) {
        0..5 => {
            let identity =
                if pen.percent(20) { format!("identity_id={}&", pen.any("cast-usr")) } else { String::new() };
            let actions: &[&str] = &[
                "read",
                "write,delete",
                "rotate",
                "move,copy,restore",
                "purge",
                "config_change",
                "token_create",
                "foo",
            ];
            let choices: &[(&str, &[&str], usize)] = &[
                ("action", actions, 40),
                ("identity_type", &["user", "system", "x"], 12),
                ("path_prefix", PREFIXES, 25),
                ("success", BOOL, 25),
                ("source_ip", &["127.0.0.1", "10.0.0.1", "x"], 8),
                ("stream", &["system"], 10),
            ];
            let target = pen.query("/v1/audit/logs", &[choices, times].concat());
            Op::Walk(pen.step(
                ADMINS,
                "GET",
                if identity.is_empty() { target } else { target.replacen('?', &format!("?{identity}"), 1) },
            ))
        }
        5 => {
            let path = pen.of(PATHS);
            let target = pen.query(&format!("/v1/audit/secrets/{path}"), times);
            Op::Walk(pen.step(ADMINS, "GET", target))
        }
        6 => {
            let pool = pen.of(&["usr", "cast-usr", "sa"]);
            let id = pen.any(pool);
            let target = pen.query(&format!("/v1/audit/identities/{id}"), times);
            Op::Walk(pen.step(ADMINS, "GET", target))
        }
        7 | 8 => {
            let target = pen.query("/v1/audit/summary", &times[..2]);
            Op::Call(pen.step(ADMINS, "GET", target))
        }
        _ => Op::Call(pen.step(ADMINS, "GET", "/v1/audit/verify".to_owned())),
    }
}

fn others(pen: &mut Pen<'_>) -> Op {
    let policy = pen.any("pol");
    let rotation = pen.any("rot");
    let limit: (&str, &[&str], usize) = ("limit", LIMITS, 60);
    let page: &[(&str, &[&str], usize)] =
        &[("page", &["1", "2", "3", "0"], 40), ("page_size", &["1", "3", "200", "201"], 60)];
    let status: (&str, &[&str], usize) = ("status", &["ACTIVE", "SUSPENDED", "DELETED", "x"], 30);
    let tenant = pen.of(&["tnt_default", "tnt_default", "tnt_side", "tnt_far"]);
    let target = match pen.chance.below(16) {
        0 => pen.query(
            "/v1/policies",
            &[("scope", &["tenant", "partner", "x"], 20), ("include_inactive", BOOL, 50), limit],
        ),
        1 => pen.query(&format!("/v1/policies/{policy}/bindings"), &[limit]),
        2 => pen.query("/v1/secret-policies", &[("include_inactive", BOOL, 50), limit]),
        3 => pen.query("/v1/rotation/policies", &[("active_only", BOOL, 40), limit]),
        4 => pen.query(&format!("/v1/rotation/policies/{rotation}/secrets"), &[limit]),
        5 => pen.query(
            &format!("/v1/rotation/policies/{rotation}/history"),
            &[("status", &["success", "failed", "pending"], 30), limit],
        ),
        6 | 7 => {
            let hours: &[&str] = &["0", "24", "200", "8760", "8761"];
            pen.query("/v1/rotation/due", &[("within_hours", hours, 60), ("include_overdue", BOOL, 30), limit])
        }
        8 => pen.query("/v1/webhooks", &[limit]),
        9 => pen.query("/v1/subscriptions", &[limit]),
        10 => {
            let names: &[&str] = &["a", "ANN", "gr%C3%BC", "%25", "_", "%00", "%F0%9F%94%91"];
            pen.query(&format!("/v1/identity/tenants/{tenant}/users"), &[page, &[status, ("q", names, 50)]].concat())
        }
        11 => pen.query(&format!("/v1/identity/tenants/{tenant}/groups"), &[page, &[status]].concat()),
        12 => pen.query(&format!("/v1/identity/tenants/{tenant}/service-accounts"), &[page, &[status]].concat()),
        13 => {
            let list = pen.of(&["/v1/identity/tenants", "/v1/identity/partners"]);
            pen.query(list, &[page, &[status]].concat())
        }
        14 => {
            let identity =
                if pen.percent(40) { format!("?identity_id={}", pen.any("cast-usr")) } else { String::new() };
            if identity.is_empty() {
                pen.query("/v1/auth/tokens", &[("include_inactive", BOOL, 60), limit])
            } else {
                format!("/v1/auth/tokens{identity}")
            }
        }
        _ => pen.query("/v1/sys/jobs", &[limit]),
    };
    Op::Walk(pen.step(ADMINS, "GET", target))
}
