//! JSON as it was sent: the order of keys and the text of numbers count.

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Array(Vec<Tree>),
    /// A number or a word.
    Bare(String),
    Object(Vec<(String, Tree)>),
    Text(String),
}

impl Tree {
    /// `None` when it is no JSON.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let tree = value(&mut rest)?;
        rest.trim().is_empty().then_some(tree)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Tree> {
        match self {
            Self::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn value(rest: &mut &str) -> Option<Tree> {
    *rest = rest.trim_start();
    match rest.chars().next()? {
        '{' => list(rest, '}', |rest| {
            let key = string(rest)?;
            eat(rest, ':')?;
            Some((key, value(rest)?))
        })
        .map(Tree::Object),
        '[' => list(rest, ']', value).map(Tree::Array),
        '"' => string(rest).map(Tree::Text),
        _ => {
            let end = rest.find([',', '}', ']', ' ', '\n']).unwrap_or(rest.len());
            let (bare, after) = rest.split_at(end);
            *rest = after;
            (!bare.is_empty()).then(|| Tree::Bare(bare.to_owned()))
        }
    }
}

fn list<T>(rest: &mut &str, end: char, item: impl Fn(&mut &str) -> Option<T>) -> Option<Vec<T>> {
    *rest = &rest[1..];
    let mut items = Vec::new();
    loop {
        if eat(rest, end).is_some() {
            return Some(items);
        }
        if !items.is_empty() {
            eat(rest, ',')?;
        }
        items.push(item(rest)?);
    }
}

fn eat(rest: &mut &str, wanted: char) -> Option<()> {
    *rest = rest.trim_start();
    *rest = rest.strip_prefix(wanted)?;
    Some(())
}

fn string(rest: &mut &str) -> Option<String> {
    *rest = rest.trim_start();
    let mut escaped = false;
    let inner = rest.strip_prefix('"')?;
    let end = inner.char_indices().find(|(_, letter)| {
        let ends = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    })?;
    let (quoted, after) = rest.split_at(end.0 + 2);
    *rest = after;
    serde_json::from_str(quoted).ok()
}

#[test]
fn order_and_numbers_stay() {
    let tree = Tree::parse(r#" {"b": [1e400, 1.0, {}], "a": "x\"\\", "c": null} "#).unwrap();
    let Tree::Object(fields) = &tree else { panic!("{tree:?}") };
    assert_eq!(fields.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["b", "a", "c"]);
    assert_eq!(tree.get("a").unwrap().text(), Some("x\"\\"));
    let numbers = vec![Tree::Bare("1e400".to_owned()), Tree::Bare("1.0".to_owned()), Tree::Object(Vec::new())];
    assert_eq!(tree.get("b"), Some(&Tree::Array(numbers)));
    assert_eq!(Tree::parse("{\"a\":1}}"), None);
}
