//! Paths as folders.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::text::printable;

/// What lies below a name. A secret may be a folder too: `a` beside `a/b`.
#[derive(Default)]
pub(crate) struct Tree(BTreeMap<String, Tree>);

impl Tree {
    pub(crate) fn insert(&mut self, path: &str) {
        let mut place = self;
        for segment in path.split('/') {
            place = place.0.entry(segment.to_owned()).or_default();
        }
    }

    pub(crate) fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for (name, below) in &self.0 {
            text.push_str(&printable(name));
            text.push('\n');
            below.draw("", &mut text);
        }
        text
    }

    /// As deep as a path has segments: ten.
    fn draw(&self, indent: &str, text: &mut String) {
        for (number, (name, below)) in self.0.iter().enumerate() {
            let is_last = number + 1 == self.0.len();
            let (branch, further) = if is_last { ("`-- ", "    ") } else { ("|-- ", "|   ") };
            text.push_str(&format!("{indent}{branch}{}\n", printable(name)));
            below.draw(&format!("{indent}{further}"), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_hang_below_one_another() {
        let mut tree = Tree::default();
        for path in ["app/db/user", "app/db", "app/api", "infra"] {
            tree.insert(path);
        }
        tree.insert("\u{1b}[31mred");
        assert!(!tree.text().contains('\u{1b}'), "a terminal is not to be steered by a server");
        tree.0.retain(|name, _| name.chars().all(char::is_alphanumeric));
        assert_eq!(tree.text().as_str(), "app\n|-- api\n`-- db\n    `-- user\ninfra\n");
    }
}
