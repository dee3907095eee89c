//! `rules` of a policy: shapes here, meanings in the domain.

use std::sync::Arc;

use scaivault_domain::condition::{ConditionParts, TimeWindowParts};
use scaivault_domain::policy::{MAX_RULES, Rule, RuleParts};
use scaivault_service::policy::{checked_rule_count, checked_rules};

use crate::extract::{Boolean, Controls, List, ObjectReader, Text};

/// Reads the rules if they are there. Shape faults are 422; a pattern, permission or condition that means nothing has a code of
/// its own (contract 03 section 2), and so has a wrong number of rules: neither is a matter of shape.
pub(super) fn rules(body: &mut ObjectReader<'_>) -> Option<Arc<[Rule]>> {
    let faults = body.faults();
    if let Some(count) = body.count("rules")
        && let Err(error) = checked_rule_count(count)
    {
        body.raw("rules");
        faults.own(error);
        return None;
    }
    let readers = body.objects("rules", 0..=MAX_RULES)?;
    // Not a lazy collect: every rule's faults shall be named.
    let parts: Vec<Option<RuleParts>> = readers.into_iter().map(rule).collect();
    let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
    faults.take(checked_rules(&parts))
}

/// Any text: what it must be is not a matter of length or characters.
fn any_text() -> Text {
    Text::max(usize::MAX).controls(Controls::Any)
}

fn any_texts() -> List<Text> {
    List { item: any_text(), count: 0..=usize::MAX }
}

fn rule(mut reader: ObjectReader<'_>) -> Option<RuleParts> {
    let path_pattern = reader.require("path_pattern", &any_text());
    let permissions = reader.require("permissions", &any_texts());
    let conditions = reader.has("conditions").then(|| conditions(reader.nested("conditions")));
    reader.finish();
    // A condition whose shape is wrong is left out here; its fault keeps the rule from being used.
    Some(RuleParts { path_pattern: path_pattern?, permissions: permissions?, conditions })
}

fn conditions(mut reader: ObjectReader<'_>) -> ConditionParts {
    let parts = ConditionParts {
        ip_ranges: reader.get("ip_ranges", &any_texts()),
        require_mfa: reader.get("require_mfa", &Boolean),
        mfa_max_age: reader.get("mfa_max_age", &any_text()),
        time_window: if reader.has("time_window") { time_window(reader.nested("time_window")) } else { None },
    };
    reader.finish();
    parts
}

fn time_window(mut reader: ObjectReader<'_>) -> Option<TimeWindowParts> {
    let days = reader.get("days", &any_texts());
    let start = reader.require("start", &any_text());
    let end = reader.require("end", &any_text());
    let timezone = reader.get("timezone", &any_text());
    reader.finish();
    Some(TimeWindowParts { days, start: start?, end: end?, timezone })
}

#[cfg(test)]
mod tests {
    use scaivault_service::{Code, Error};

    use super::*;
    use crate::extract::{Faults, Json};

    fn read(rules_json: &str) -> Result<Arc<[Rule]>, Error> {
        let json = Json::parse(format!("{{\"rules\":{rules_json}}}").as_bytes()).unwrap();
        let faults = Faults::new();
        let mut body = ObjectReader::new(&json, &faults);
        let read = rules(&mut body);
        drop(body);
        faults.finish().map(|()| read.unwrap())
    }

    fn faults(rules_json: &str) -> Vec<String> {
        let error = read(rules_json).unwrap_err();
        assert_eq!(error.code(), Code::ValidationError);
        let fields = error.details()["fields"].as_array().unwrap();
        fields
            .iter()
            .map(|fault| format!("{} {}", fault["field"].as_str().unwrap(), fault["code"].as_str().unwrap()))
            .collect()
    }

    #[test]
    fn good_rules_are_read_whole() {
        let rules = read(
            r#"[{"path_pattern":"app/**","permissions":["read","list"],"conditions":{"ip_ranges":["10.1.0.0/16"],"require_mfa":true,
            "mfa_max_age":"5m","time_window":{"days":["mon"],"start":"08:00","end":"18:00","timezone":"Europe/Berlin"}}},
            {"path_pattern":"x","permissions":["admin"],"conditions":{}}]"#,
        )
        .unwrap();
        let conditions = rules[0].conditions();
        assert!(conditions.require_mfa() && conditions.ip_ranges().len() == 1 && conditions.time_window().is_some());
        assert!(rules[1].is_unconditional());
    }

    // L-13
    #[test]
    fn shape_faults_are_told_together_and_at_any_depth() {
        assert_eq!(
            faults(r#"[{"path_pattern":"a","permissions":["read"],"condition":{}}]"#),
            ["rules[0].condition unknown"]
        );
        assert_eq!(
            faults(
                r#"[{"permissions":"read"},{"path_pattern":"/a","permissions":["own"],
                "conditions":{"time_window":{"start":8,"zone":"x"},"require_mfa":"yes"}},7]"#
            ),
            [
                // Arrays and objects are opened before their fields are read.
                "rules[2] type",
                "rules[0].path_pattern required",
                "rules[0].permissions type",
                "rules[1].conditions.require_mfa type",
                "rules[1].conditions.time_window.start type",
                "rules[1].conditions.time_window.end required",
                "rules[1].conditions.time_window.zone unknown",
                "rules[2].path_pattern required",
                "rules[2].permissions required",
            ]
        );
    }

    #[test]
    fn what_means_nothing_has_a_code_of_its_own() {
        let code = |json: &str| read(json).unwrap_err().code();
        assert_eq!(code("[]"), Code::InvalidPolicy);
        let many = |count| format!("[{}]", vec!["{}"; count].join(","));
        assert_eq!(code(&many(100)), Code::ValidationError);
        // Nothing is said about what is in them: they are not looked at.
        assert_eq!(code(&many(101)), Code::InvalidPolicy);
        assert_eq!(code(&many(500_000)), Code::InvalidPolicy);
        assert_eq!(code(r#"[{"path_pattern":"/app/**","permissions":["read"]}]"#), Code::InvalidGlob);
        assert_eq!(code(r#"[{"path_pattern":"a\u0000","permissions":["read"]}]"#), Code::InvalidGlob);
        assert_eq!(code(r#"[{"path_pattern":"a","permissions":["own"]}]"#), Code::InvalidPolicy);
        assert_eq!(
            code(r#"[{"path_pattern":"a","permissions":["read"],"conditions":{"ip_ranges":["10.0.0.0/33"]}}]"#),
            Code::InvalidPolicy
        );
    }
}
