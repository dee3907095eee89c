//! Lists: a line an item, columns aligned.

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::json::{Object, list, object, plain};
use super::text::printable;
use crate::cli::client::Answer;
use crate::failure::Failure;

/// Stands for the key of an item where the items are a map.
pub(crate) const KEY: &str = "@";

/// A column is the name of a field; `a.b` reaches into an object, and `head=field` gives it another head.
pub(crate) struct Table {
    items: &'static str,
    columns: &'static [&'static str],
    /// As wide as anything before: pages under one another stay in line.
    widths: Vec<usize>,
    has_head: bool,
}

impl Table {
    /// `items` is the field of the answer that holds them; empty: the answer is the list.
    pub(crate) fn new(items: &'static str, columns: &'static [&'static str]) -> Self {
        Self { items, columns, widths: vec![0; columns.len()], has_head: false }
    }

    pub(crate) fn items(&self) -> &'static str {
        self.items
    }

    pub(crate) fn page(&mut self, answer: &Answer) -> Result<Zeroizing<String>, Failure> {
        let items: &RawValue = if self.items.is_empty() {
            answer.read()?
        } else {
            let answer: Object<'_> = answer.read()?;
            answer.get(self.items).ok_or_else(|| Failure::general(format!("the answer has no {}", self.items)))?
        };
        let rows: Vec<Vec<String>> = match (list(items), object(items)) {
            (Some(items), _) => items.into_iter().filter_map(object).map(|item| self.row("", &item)).collect(),
            (_, Some(map)) => map
                .iter()
                .filter_map(|(key, item)| object(item).map(|item| (key, item)))
                .map(|(key, item)| self.row(key, &item))
                .collect(),
            _ => return Err(Failure::general(format!("{} in the answer is no list", self.items))),
        };
        Ok(self.lines(rows))
    }

    fn row(&self, key: &str, item: &Object<'_>) -> Vec<String> {
        let fields = self.columns.iter().map(|column| column.rsplit('=').next().unwrap_or(column));
        fields
            .map(|field| if field == KEY { key.to_owned() } else { printable(&plain(item.at(field))).into_owned() })
            .collect()
    }

    pub(crate) fn lines(&mut self, mut rows: Vec<Vec<String>>) -> Zeroizing<String> {
        if rows.is_empty() {
            return Zeroizing::default();
        }
        if !self.has_head {
            self.has_head = true;
            rows.insert(0, self.columns.iter().map(|column| head(column)).collect());
        }
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = Zeroizing::new(String::new());
        for row in &rows {
            let cells = row.iter().zip(&self.widths).map(|(cell, width)| format!("{cell:width$}"));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

fn head(column: &str) -> String {
    let name = column.split_once('=').map_or(column, |(head, _)| head);
    name.replace(['_', '.'], " ").to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_stay_in_line() {
        let mut table = Table::new("", &["path", "by=meta.created_by", "rule_count"]);
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let first = table.lines(vec![row(["app/database", "a", "1"])]);
        assert_eq!(first.as_str(), "PATH          BY  RULE COUNT\napp/database  a   1\n");
        assert_eq!(table.lines(vec![row(["x", "ö", "2"])]).as_str(), "x             ö   2\n");
        assert_eq!(table.lines(Vec::new()).as_str(), "");
    }
}
