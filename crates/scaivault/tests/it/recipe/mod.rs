//! Contract 05: secret policies.

mod generate;
mod pair;
mod policy;
mod preview;
mod slow;

use serde_json::{Value, json};

pub(crate) const RECIPES: &str = "/v1/secret-policies";

/// The sample of the contract.
fn sample() -> Value {
    json!({"name": "password", "generator": "random", "config": {"length": 24, "charset": "safe",
        "require_upper": true, "require_lower": true, "require_digit": true, "require_symbol": true}})
}

fn random(config: Value) -> Value {
    json!([{"name": "v", "generator": "random", "config": config}])
}
