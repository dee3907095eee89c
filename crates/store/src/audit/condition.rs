//! Which entries a query wants, as SQL.

use scaivault_domain::time::Timestamp;

use crate::sql::Param;

/// Which entries a query wants. Absent filters want all.
#[derive(Debug, Clone, Default)]
pub struct EntryFilter {
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
    pub actions: Vec<String>,
    pub identity_id: Option<String>,
    pub identity_type: Option<String>,
    pub path: Option<String>,
    pub path_prefix: Option<String>,
    pub success: Option<bool>,
    pub source_ip: Option<String>,
    pub request_id: Option<String>,
}

pub(super) struct Condition<'a> {
    pub(super) text: String,
    pub(super) params: Vec<Param<'a>>,
}

impl<'a> Condition<'a> {
    pub(super) fn of(stream: &'a str, filter: &'a EntryFilter) -> Self {
        let mut condition = Self { text: "stream = $1".to_owned(), params: vec![Param::Text(stream)] };
        if let Some(from) = filter.from {
            condition.and("at >= ", from.into());
        }
        if let Some(to) = filter.to {
            condition.and("at < ", to.into());
        }
        if !filter.actions.is_empty() {
            let names: Vec<String> = filter.actions.iter().map(|action| condition.bind(Param::Text(action))).collect();
            condition.text.push_str(&format!(" AND action IN ({})", names.join(", ")));
        }
        let exact = [
            ("identity_id = ", &filter.identity_id),
            ("identity_type = ", &filter.identity_type),
            ("secret_path = ", &filter.path),
            ("source_ip = ", &filter.source_ip),
            ("request_id = ", &filter.request_id),
        ];
        for (column, wanted) in exact {
            if let Some(wanted) = wanted {
                condition.and(column, Param::Text(wanted));
            }
        }
        if let Some(prefix) = filter.path_prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            condition.and("secret_path >= ", Param::Text(prefix));
            condition.and(&format!("substr(secret_path, 1, {}) = ", prefix.len()), Param::Text(prefix));
        }
        match filter.success {
            Some(true) => condition.text.push_str(" AND status_code < 400"),
            Some(false) => condition.text.push_str(" AND status_code >= 400"),
            None => {}
        }
        condition
    }

    pub(super) fn bind(&mut self, param: Param<'a>) -> String {
        self.params.push(param);
        format!("${}", self.params.len())
    }

    pub(super) fn and(&mut self, comparison: &str, param: Param<'a>) {
        let name = self.bind(param);
        self.text.push_str(" AND ");
        self.text.push_str(comparison);
        self.text.push_str(&name);
    }
}
