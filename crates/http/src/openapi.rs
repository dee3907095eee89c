//! `GET /v1/openapi.json`: the route table in OpenAPI 3.1. Routes, methods and security come from the table itself; what a route
//! takes and answers stands in `openapi/docs.rs`, and a test demands that both name the same routes.

mod docs;

use std::sync::LazyLock;

use bytes::Bytes;
use scaivault_api::error::ErrorEnvelope;
use scaivault_domain::action::ScopeRule;
use scaivault_service::{Error, Outage, Result};
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref, Required, ResponseBuilder};

use crate::endpoint::Call;
use crate::reply::Reply;
use crate::router::{RouteInfo, route_infos};
use docs::{Doc, DocSchema, Schemas};

const BEARER: &str = "bearer_token";

pub(crate) async fn document(call: Call) -> Result<Reply> {
    // Not one of the routes that answer while sealed (contract 00 section 3, step 2).
    if call.vault.is_sealed() {
        return Err(Error::unavailable(Outage::Sealed, "sealed"));
    }
    /// Made once: whoever reaches the port may ask for it, and it is large.
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| render().into());
    Ok(Reply::document(DOCUMENT.clone(), "application/json"))
}

/// The document as text: what the route answers and what `openapi.json` in the repository holds.
pub fn render() -> String {
    build().to_pretty_json().unwrap_or_default()
}

fn build() -> OpenApi {
    let mut schemas = Schemas::new();
    schemas.push((ErrorEnvelope::name().into_owned(), <ErrorEnvelope as utoipa::PartialSchema>::schema()));
    <ErrorEnvelope as ToSchema>::schemas(&mut schemas);
    let docs = docs::all();
    let mut paths = Paths::new();
    for route in route_infos() {
        let doc = docs.iter().find(|doc| doc.method == route.method && doc.pattern == route.pattern);
        let operation = operation(&route, doc, &mut schemas);
        paths.add_path_operation(route.pattern, vec![http_method(route.method)], operation);
    }
    let scheme = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("A token of this server")).build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("ScaiVault")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some("Secrets at paths: versions, access, rotation, audit. Every tenant-scoped route also exists below /v1/t/{tenant_id}/."))
                .build(),
        )
        .paths(paths)
        .components(Some(
            ComponentsBuilder::new()
                .schemas_from_iter(schemas)
                .security_scheme(BEARER, SecurityScheme::Http(scheme))
                .build(),
        ))
        .build()
}

fn http_method(name: &str) -> HttpMethod {
    match name {
        "PUT" => HttpMethod::Put,
        "POST" => HttpMethod::Post,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn operation(route: &RouteInfo, doc: Option<&Doc>, schemas: &mut Schemas) -> Operation {
    let mut operation = OperationBuilder::new().operation_id(Some(operation_id(route))).tag(tag_of(route.pattern));
    for name in names_in(route.pattern) {
        operation = operation.parameter(parameter(name, ParameterIn::Path));
    }
    if let Some(action) = route.action {
        operation = operation.security(SecurityRequirement::new(BEARER, scopes(action.spec().scopes)));
        if !route.at_home {
            operation = operation.parameter(header("X-Tenant-ID", "Acts in this tenant instead of the token's own"));
        }
        if route.repeatable {
            operation =
                operation.parameter(header("Idempotency-Key", "Repeating the request has no second effect for 24 h"));
        }
    }
    let Some(doc) = doc else { return operation.build() };
    operation = operation.summary(Some(doc.summary));
    for name in doc.query {
        operation = operation.parameter(parameter(name, ParameterIn::Query));
    }
    if let Some(request) = &doc.request {
        operation = operation.request_body(Some(body_of(request, schemas)));
    }
    for (status, schema) in &doc.answers {
        let response = ResponseBuilder::new().description(if *status == "204" { "Done; no body" } else { "Done" });
        let response = match schema {
            Some(schema) => {
                response.content("application/json", ContentBuilder::new().schema(Some(add(schema, schemas))).build())
            }
            None => response,
        };
        operation = operation.response(*status, response.build());
    }
    let envelope = ContentBuilder::new().schema(Some(Ref::from_schema_name(ErrorEnvelope::name()))).build();
    let refused =
        ResponseBuilder::new().description("Refused: `error.code` says why").content("application/json", envelope);
    operation.response("default", refused.build()).build()
}

fn add(schema: &DocSchema, schemas: &mut Schemas) -> Ref {
    let name = (schema.collect)(schemas);
    Ref::from_schema_name(name)
}

fn body_of(schema: &DocSchema, schemas: &mut Schemas) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(add(schema, schemas))).build();
    RequestBodyBuilder::new().content("application/json", content).build()
}

fn parameter(name: &str, place: ParameterIn) -> Parameter {
    let required = if matches!(place, ParameterIn::Path) { Required::True } else { Required::False };
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    ParameterBuilder::new().name(name).parameter_in(place).required(required).schema(Some(text)).build()
}

fn header(name: &str, description: &str) -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(text))
        .build()
}

fn scopes(rule: ScopeRule) -> Vec<&'static str> {
    match rule {
        ScopeRule::None => Vec::new(),
        ScopeRule::All(scopes) | ScopeRule::Any(scopes) => scopes.iter().map(|scope| scope.as_str()).collect(),
    }
}

/// `get_v1_secrets_path_versions`.
fn operation_id(route: &RouteInfo) -> String {
    let words = route.pattern.split(['/', '-', '.']).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.map(|word| word.trim_matches(['{', '}'])).collect();
    format!("{}_{}", route.method.to_ascii_lowercase(), words.join("_"))
}

fn tag_of(pattern: &str) -> &str {
    let second = pattern.split('/').nth(2).unwrap_or("system");
    match second {
        "health" | "metrics" | "openapi.json" | "sys" | "version" => "system",
        other => other,
    }
}

fn names_in(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let mut described: Vec<String> =
            docs::all().iter().map(|doc| format!("{} {}", doc.method, doc.pattern)).collect();
        let mut routes: Vec<String> =
            route_infos().iter().map(|route| format!("{} {}", route.method, route.pattern)).collect();
        described.sort();
        routes.sort();
        assert_eq!(described, routes);
    }

    #[test]
    fn the_document_in_the_repository_is_this_one() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
        let stored = std::fs::read_to_string(&file).unwrap_or_default();
        if stored.trim_end() != render().trim_end() {
            std::fs::write(&file, render() + "\n").unwrap();
            panic!("openapi.json was out of date and has been written anew: look at the difference and commit it");
        }
    }
}
