//! The recipe of a request.

use scaivault_domain::recipe::{Recipe, RecipeFaultKind};

use crate::error::{Error, FaultCode, FieldFault, Result};

/// Reads the JSON text of `fields`.
///
/// # Errors
/// 422 with every fault (contract 05 sections 1 and 2).
pub fn checked_recipe(fields: &str) -> Result<Recipe> {
    Recipe::parse(fields).map_err(|faults| {
        let fault = |fault: scaivault_domain::recipe::RecipeFault| {
            FieldFault::new(fault.field, fault_code(fault.kind), fault.message)
        };
        Error::validation(faults.into_iter().map(fault).collect())
    })
}

fn fault_code(kind: RecipeFaultKind) -> FaultCode {
    match kind {
        RecipeFaultKind::Conflict => FaultCode::Conflict,
        RecipeFaultKind::Format => FaultCode::Format,
        RecipeFaultKind::NotAllowed => FaultCode::NotAllowed,
        RecipeFaultKind::Range => FaultCode::Range,
        RecipeFaultKind::Required => FaultCode::Required,
        RecipeFaultKind::Type => FaultCode::Type,
        RecipeFaultKind::Unknown => FaultCode::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // V-2, V-9
    #[test]
    fn every_fault_is_told_with_its_field() {
        let fields = r#"[{"name":"a","generator":"random","config":{"charset":"numeric","require_upper":true}},
            {"name":"b","generator":"magic"},{"name":"c","generator":"hex","config":{"len":3}}]"#;
        let error = checked_recipe(fields).unwrap_err();
        let told: Vec<_> = error.details()["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| (fault["field"].as_str().unwrap().to_owned(), fault["code"].as_str().unwrap().to_owned()))
            .collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[1], ("fields[1].generator".to_owned(), "format".to_owned()));
        assert_eq!(told[2], ("fields[2].config.len".to_owned(), "unknown".to_owned()));
    }
}
