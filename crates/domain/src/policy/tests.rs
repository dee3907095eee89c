use proptest::prelude::*;

use super::*;
use crate::condition::Facts;
use crate::glob;
use crate::id::PolicyId;
use crate::time::Timestamp;

const MFA_ONLY: &str = r#"{"require_mfa":true}"#;
const OFFICE_IP: &str = r#"{"ip_ranges":["10.1.0.0/16"]}"#;
const IP_AND_MFA: &str = r#"{"ip_ranges":["10.1.0.0/16"],"require_mfa":true}"#;
const MORNING: &str = r#"{"time_window":{"start":"00:00","end":"08:00"}}"#;
const MORNING_MFA: &str = r#"{"require_mfa":true,"time_window":{"start":"00:00","end":"08:00"}}"#;

fn rule(pattern: &str, permissions: &str, conditions: &str) -> Rule {
    let permissions: Vec<&str> = permissions.split(' ').collect();
    let conditions: serde_json::Value = serde_json::from_str(conditions).unwrap();
    Rule::from_json(&serde_json::json!({"path_pattern": pattern, "permissions": permissions, "conditions": conditions}))
        .unwrap()
}

fn policy(id: &str, rules: Vec<Rule>) -> BoundPolicy {
    let policy_id = PolicyId::parse(&format!("pol_{id}")).unwrap();
    BoundPolicy { policy_id, name: id.to_owned(), is_active: true, binding_expires_at: None, rules: rules.into() }
}

/// A Friday at ten, from the office, with a second factor just proved.
fn facts() -> Facts {
    let now = Timestamp::parse("2026-05-01T10:00:00Z").unwrap();
    Facts {
        source_ip: Some("10.1.2.3".parse().unwrap()),
        mfa_verified_at: Some(now),
        now,
        default_mfa_max_age_seconds: 3_600,
    }
}

fn elsewhere() -> Facts {
    Facts { source_ip: Some("192.0.2.1".parse().unwrap()), ..facts() }
}

fn without_mfa(facts: Facts) -> Facts {
    Facts { mfa_verified_at: None, ..facts }
}

fn says(policies: &[BoundPolicy], path: &str, wanted: Permission, facts: &Facts) -> String {
    match decide(policies, path, wanted.into(), facts) {
        Verdict::Allowed { policy_id, rule } => format!("{policy_id}:{rule}"),
        Verdict::Denied { reason, failed_condition } => {
            assert_eq!(failed_condition, reason.failed_condition());
            reason.as_str().to_owned()
        }
    }
}

fn reasons(policies: &[BoundPolicy], path: &str, wanted: Permission, facts: &Facts) -> Vec<&'static str> {
    explain(policies, path, wanted.into(), facts).into_iter().map(|policy| policy.reason.as_str()).collect()
}

// L-1, L-2, L-3
#[test]
fn what_no_rule_allows_is_denied() {
    assert_eq!(says(&[], "app/db", Permission::Read, &facts()), "access_denied");
    let policies = [policy("a", vec![rule("app/**", "read", "{}"), rule("list/*", "list", "{}")])];
    assert_eq!(says(&policies, "app", Permission::Read, &facts()), "access_denied");
    assert_eq!(says(&policies, "app/db", Permission::Read, &facts()), "pol_a:0");
    assert_eq!(says(&policies, "list/x", Permission::List, &facts()), "pol_a:1");
    assert_eq!(says(&policies, "list/x", Permission::Read, &facts()), "access_denied");
    let either = PermissionSet::from_slice(&[Permission::Read, Permission::List]);
    assert!(decide(&policies, "list/x", either, &facts()).is_allowed());
}

// L-4
#[test]
fn l4_another_policy_still_allows() {
    let policies =
        [policy("a", vec![rule("app/**", "read", OFFICE_IP)]), policy("b", vec![rule("app/db", "read", "{}")])];
    assert_eq!(says(&policies, "app/db", Permission::Read, &elsewhere()), "pol_b:0");
    assert_eq!(says(&policies, "app/db", Permission::Read, &facts()), "pol_a:0");
    assert_eq!(says(&policies, "app/x", Permission::Read, &elsewhere()), "ip_not_allowed");
}

// L-5
#[test]
fn l5_the_condition_that_failed_is_told() {
    let policies = [policy("a", vec![rule("app/**", "read", IP_AND_MFA)])];
    let says = |facts: Facts| says(&policies, "app/db", Permission::Read, &facts);
    assert_eq!(says(facts()), "pol_a:0");
    assert_eq!(says(elsewhere()), "ip_not_allowed");
    assert_eq!(says(without_mfa(facts())), "mfa_required");
    assert_eq!(says(without_mfa(elsewhere())), "ip_not_allowed");
    let verified =
        |seconds_ago: i64| Facts { mfa_verified_at: Some(facts().now.plus_seconds(-seconds_ago)), ..facts() };
    assert_eq!(says(verified(3_600)), "pol_a:0");
    assert_eq!(says(verified(3_601)), "mfa_required");
}

#[test]
fn of_several_reasons_the_one_that_can_be_mended_is_told() {
    let denied = |conditions: &[&str], facts: &Facts| {
        let policies = [policy("a", conditions.iter().map(|conditions| rule("**", "read", conditions)).collect())];
        let reason = says(&policies, "x", Permission::Read, facts);
        // What the test endpoint says of the policy agrees with the verdict.
        let expected = decide(&policies, "x", Permission::Read.into(), facts);
        assert!(
            matches!(expected, Verdict::Denied { failed_condition: Some(failed), .. } if reasons(&policies, "x", Permission::Read, facts) == [failed])
        );
        reason
    };
    let nowhere = without_mfa(elsewhere());
    assert_eq!(denied(&[MORNING], &nowhere), "time_window_violation");
    assert_eq!(denied(&[MORNING_MFA], &nowhere), "time_window_violation");
    assert_eq!(denied(&[MORNING, OFFICE_IP], &nowhere), "ip_not_allowed");
    assert_eq!(denied(&[MORNING, OFFICE_IP, MFA_ONLY], &nowhere), "mfa_required");
    assert_eq!(denied(&[MFA_ONLY, OFFICE_IP, MORNING], &nowhere), "mfa_required");
    assert_eq!(denied(&[IP_AND_MFA, MORNING], &nowhere), "ip_not_allowed");
}

// L-9, L-12
#[test]
fn inactive_and_expired_policies_grant_nothing() {
    let mut bound = policy("a", vec![rule("**", "admin", "{}")]);
    bound.binding_expires_at = Some(facts().now.plus_seconds(1));
    assert_eq!(says(&[bound.clone()], "x", Permission::Read, &facts()), "pol_a:0");
    bound.binding_expires_at = Some(facts().now);
    assert_eq!(says(&[bound.clone()], "x", Permission::Read, &facts()), "access_denied");
    assert_eq!(reasons(&[bound.clone()], "x", Permission::Read, &facts()), ["binding_expired"]);
    bound.is_active = false;
    assert_eq!(says(&[bound.clone()], "x", Permission::Read, &facts()), "access_denied");
    assert_eq!(reasons(&[bound.clone()], "x", Permission::Read, &facts()), ["inactive"]);
    assert!(visibility(&[bound], Permission::List.into(), &facts()).is_none());
}

// L-18
#[test]
fn l18_admin_alone_suffices() {
    let policies = [policy("a", vec![rule("app/*", "admin", "{}")])];
    for permission in Permission::ALL {
        assert_eq!(says(&policies, "app/db", permission, &facts()), "pol_a:0");
    }
    let others = [policy("b", vec![rule("app/*", "read write delete list rotate", "{}")])];
    assert_eq!(says(&others, "app/db", Permission::Admin, &facts()), "access_denied");
}

#[test]
fn explanations_name_the_nearest_rule() {
    let near =
        policy("a", vec![rule("x/*", "read", "{}"), rule("app/*", "write", "{}"), rule("app/*", "read", OFFICE_IP)]);
    let policies = [near, policy("b", vec![rule("app/*", "list", "{}")]), policy("c", vec![rule("app", "read", "{}")])];
    assert_eq!(
        reasons(&policies, "app/db", Permission::Read, &elsewhere()),
        ["ip_ranges", "permission_missing", "path_mismatch"]
    );
    assert!(reasons(&[], "app/db", Permission::Read, &facts()).is_empty());
    // What allows has no reason to be named.
    assert_eq!(reasons(&policies, "app/db", Permission::Read, &facts()), ["permission_missing", "path_mismatch"]);
}

// L-13
#[test]
fn l13_bad_rules_are_named() {
    let parse = |json: serde_json::Value| parse_rules(&serde_json::from_value::<Vec<RuleParts>>(json).unwrap());
    let good = serde_json::json!({"path_pattern": "app/**", "permissions": ["read"]});
    assert_eq!(
        parse(serde_json::json!([good, {"path_pattern": "/app/**", "permissions": ["read"]}])).unwrap_err(),
        PolicyError::InvalidGlob { rule: 1, pattern: "/app/**".into(), reason: "empty_segment" }
    );
    let reason = |json| match parse(json).unwrap_err() {
        PolicyError::InvalidPolicy { reason } => reason,
        other => panic!("{other:?}"),
    };
    assert!(
        reason(serde_json::json!([{"path_pattern": "a", "permissions": ["own"]}])).starts_with("rules[0].permissions")
    );
    assert!(reason(serde_json::json!([{"path_pattern": "a", "permissions": []}])).starts_with("rules[0].permissions"));
    let bad_range = serde_json::json!([good, {"path_pattern": "a", "permissions": ["read"], "conditions": {"ip_ranges": ["10.0.0.0/33"]}}]);
    assert!(reason(bad_range).starts_with("rules[1].conditions.ip_ranges"));
    assert!(reason(serde_json::json!([])).starts_with("rules must have"));
    assert!(reason(serde_json::Value::Array(vec![good.clone(); 101])).starts_with("rules must have"));
    assert_eq!(parse(serde_json::Value::Array(vec![good; 100])).unwrap().len(), 100);
    assert!(
        serde_json::from_str::<RuleParts>(r#"{"path_pattern":"a","permissions":["read"],"condition":{}}"#).is_err()
    );
}

#[test]
fn rules_read_back_as_written() {
    let wire = r#"[{"path_pattern":"app/**","permissions":["list","read"]},{"path_pattern":"b","permissions":["admin"],"conditions":{"require_mfa":true,"mfa_max_age":"5m"}}]"#;
    let rules = rules_from_json(wire).unwrap();
    assert_eq!(rules_to_json(&rules), wire);
    for rule in rules.iter() {
        assert_eq!(&Rule::from_json(&rule.to_json()).unwrap(), rule);
    }
    let folded = rule("a", "write read write", "{}");
    assert_eq!(folded.permissions(), [Permission::Write, Permission::Read]);
    for bad in ["", "null", "{}", "[null]", r#"[{"path_pattern":"a"}]"#] {
        assert!(rules_from_json(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn visibility_reaches_below_what_holds_a_path_that_is_seen() {
    let reaches = |pattern: &str| {
        let policies = [policy("a", vec![rule(pattern, "list", "{}")])];
        visibility(&policies, Permission::List.into(), &facts()).reaches_below("a/b/")
    };
    for pattern in ["**", "**/x", "a/**", "a/b/**", "a/b/c", "a/b/c/**", "a/*/c", "a/b*/**", "?/b/c"] {
        assert!(reaches(pattern), "{pattern}");
    }
    for pattern in ["a/b", "a", "a/bc/**", "b/**", "a/c/*"] {
        assert!(!reaches(pattern), "{pattern}");
    }
    assert!(!Visibility::none().reaches_below("a/"));
}

#[test]
fn visibility_is_the_shortest_filter() {
    let policies = [
        policy("a", vec![rule("app/**", "list", "{}"), rule("app/db", "read", "{}"), rule("b/*", "admin", "{}")]),
        policy("b", vec![rule("app/**", "list", "{}"), rule("c/**", "list", OFFICE_IP)]),
    ];
    let seen = visibility(&policies, Permission::List.into(), &elsewhere());
    assert!(matches!(&seen, Visibility::Globs(globs) if globs.len() == 2));
    assert_eq!(seen.covering_prefixes(), ["app/", "b/"]);
    assert!(seen.sees("app/x/y") && seen.sees("b/x") && !seen.sees("c/x"));
    let everything = [policy("c", vec![rule("x", "list", "{}"), rule("**", "list", "{}")])];
    assert_eq!(visibility(&everything, Permission::List.into(), &facts()), Visibility::All);
    assert_eq!(Visibility::All.covering_prefixes(), [""]);
    assert!(
        Visibility::none().is_none()
            && !Visibility::none().sees("a")
            && Visibility::none().covering_prefixes().is_empty()
    );
}

/// Contract 03 section 4, points 3 and 4, sentence by sentence.
fn naive_decide(policies: &[BoundPolicy], path: &str, wanted: Permission, facts: &Facts) -> String {
    let mut failures = Vec::new();
    for policy in policies {
        let has_expired = policy.binding_expires_at.is_some_and(|at| facts.now.as_seconds() >= at.as_seconds());
        for (index, rule) in policy.rules.iter().enumerate() {
            let allows = rule.permissions().contains(&wanted) || rule.permissions().contains(&Permission::Admin);
            if !policy.is_active || has_expired || !allows || !glob::tests::naive(rule.path_pattern().as_str(), path) {
                continue;
            }
            let failed = rule.conditions().failures(facts);
            if !failed.ip && !failed.mfa && !failed.time {
                return format!("{}:{index}", policy.policy_id);
            }
            failures.push(failed);
        }
    }
    if failures.is_empty() {
        "access_denied"
    } else if failures.iter().any(|failed| failed.mfa && !failed.ip && !failed.time) {
        "mfa_required"
    } else if failures.iter().any(|failed| failed.ip) {
        "ip_not_allowed"
    } else {
        "time_window_violation"
    }
    .to_owned()
}

fn rules() -> impl Strategy<Value = Rule> {
    let permissions = proptest::sample::subsequence(Permission::ALL.map(Permission::as_str).to_vec(), 1..4);
    let conditions = proptest::sample::select(vec!["{}", "{}", MFA_ONLY, OFFICE_IP, IP_AND_MFA, MORNING, MORNING_MFA]);
    (glob::tests::patterns(), permissions, conditions)
        .prop_map(|(pattern, permissions, conditions)| rule(&pattern, &permissions.join(" "), conditions))
}

fn policies() -> impl Strategy<Value = Vec<BoundPolicy>> {
    let bound = (
        proptest::collection::vec(rules(), 1..5),
        proptest::bool::weighted(0.9),
        proptest::option::weighted(0.2, -2_i64..3),
    );
    proptest::collection::vec(bound, 0..5).prop_map(|list| {
        let make = |(index, (rules, is_active, expires)): (usize, (Vec<Rule>, bool, Option<i64>))| BoundPolicy {
            is_active,
            binding_expires_at: expires.map(|seconds| facts().now.plus_seconds(seconds)),
            ..policy(&index.to_string(), rules)
        };
        list.into_iter().enumerate().map(make).collect()
    })
}

fn circumstances() -> impl Strategy<Value = Facts> {
    let addresses = proptest::sample::select(vec![
        None,
        Some("10.1.9.9"),
        Some("::ffff:10.1.9.9"),
        Some("192.0.2.1"),
        Some("2001:db8::1"),
    ]);
    (addresses, proptest::option::of(0_i64..7_200), 0_i64..24).prop_map(|(address, mfa_age, hour)| {
        let now = facts().now.plus_seconds((hour - 10) * 3_600);
        let source_ip = address.map(|text| text.parse().unwrap());
        Facts { source_ip, mfa_verified_at: mfa_age.map(|age| now.plus_seconds(-age)), now, ..facts() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    // L-20
    #[test]
    fn l20_decide_agrees_with_the_naive_one(
        policies in policies(), path in glob::tests::paths(), wanted in proptest::sample::select(Permission::ALL.to_vec()), facts in circumstances(),
    ) {
        prop_assert_eq!(says(&policies, &path, wanted, &facts), naive_decide(&policies, &path, wanted, &facts));
    }

    #[test]
    fn visibility_is_one_decision_for_each_path(
        policies in policies(), paths in proptest::collection::vec(glob::tests::paths(), 1..8), facts in circumstances(),
    ) {
        let wanted = PermissionSet::from_slice(&[Permission::List, Permission::Delete]);
        let seen = visibility(&policies, wanted, &facts);
        let ranges = seen.covering_prefixes();
        for path in &paths {
            let is_allowed = decide(&policies, path, wanted, &facts).is_allowed();
            prop_assert_eq!(seen.sees(path), is_allowed);
            let in_ranges = ranges.iter().filter(|range| path.starts_with(range.as_str())).count();
            prop_assert!(in_ranges <= 1 && (!is_allowed || in_ranges == 1));
        }
    }

    #[test]
    fn explanations_agree_with_the_verdict(policies in policies(), path in glob::tests::paths(), facts in circumstances()) {
        let explained = explain(&policies, &path, Permission::Read.into(), &facts);
        let verdict = decide(&policies, &path, Permission::Read.into(), &facts);
        prop_assert_eq!(verdict.is_allowed(), explained.len() < policies.len());
        if let Verdict::Denied { failed_condition: Some(failed), .. } = verdict {
            prop_assert_eq!(explained.iter().map(|policy| policy.reason).max().map(EvaluationReason::as_str), Some(failed));
        }
    }
}
