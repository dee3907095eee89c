//! What is random by nature: ids, tokens, generated values. The two engines make different ones; each belongs to exactly one of the
//! other side, from the moment on in which both are seen for the first time.

use std::collections::HashMap;

use super::chance::Chance;
use super::tree::Tree;

/// Keys of what has no partner: it differs, and nothing follows from it.
const OPAQUE: &[&str] =
    &["cursor", "duration_ms", "hash", "key_id", "latency_ms", "prev_hash", "seq", "signature", "uptime_seconds"];
/// Every value that a test wrote begins so; others were generated.
pub(super) const WRITTEN: &str = "v:";

#[derive(Default)]
pub(super) struct Pairs {
    to_right: HashMap<String, String>,
    to_left: HashMap<String, String>,
    pools: HashMap<String, Vec<[String; 2]>>,
    /// Since a restart a stream has several chains on PostgreSQL, each with numbers of its own.
    pub(super) restarted: bool,
    /// Jobs that were due at one instant ran in different orders, which is their right.
    pub(super) tied: bool,
    /// What is seen now belongs to the cast, and goes to pools of its own: `cast-usr`.
    pub(super) apart: bool,
}

impl Pairs {
    /// Takes two for one, and remembers them under a name.
    pub(super) fn keep(&mut self, pool: &str, left: &str, right: &str) {
        self.pools.entry(pool.to_owned()).or_default().push([left.to_owned(), right.to_owned()]);
    }

    pub(super) fn count(&self, pool: &str) -> usize {
        self.pools.get(pool).map_or(0, Vec::len)
    }

    /// A placeholder for one of a pool, mostly a younger one; an id of nothing when there is none.
    pub(super) fn any(&self, chance: &mut Chance, pool: &str) -> String {
        let count = self.count(pool);
        if count == 0 || chance.percent(3) {
            return format!("{pool}_01HK7X9Z0000000000000000ZZ");
        }
        let back = if chance.percent(80) { count.min(10) } else { count };
        format!("⟦{pool}:{}⟧", count - 1 - chance.below(back))
    }

    /// Fills in what one side calls it.
    pub(super) fn fill(&self, text: &str, side: usize) -> String {
        let mut parts = text.split('⟦');
        let mut filled = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, after) = part.split_once('⟧').unwrap();
            let (pool, index) = name.split_once(':').unwrap();
            filled.push_str(&self.pools[pool][index.parse::<usize>().unwrap()][side]);
            filled.push_str(after);
        }
        filled
    }

    /// Says where two answers differ.
    pub(super) fn compare(&mut self, left: &Tree, right: &Tree) -> Result<(), String> {
        self.trees(left, right, "", false)
    }

    fn trees(&mut self, left: &Tree, right: &Tree, at: &str, data: bool) -> Result<(), String> {
        match (left, right) {
            (Tree::Object(left), Tree::Object(right)) => {
                let seen = |fields: &[(String, Tree)]| -> Vec<(String, Tree)> {
                    fields.iter().filter(|(key, _)| data || key != "chain").cloned().collect()
                };
                let is_value = |key: &str, value: &Tree| {
                    key == "data" && matches!(value, Tree::Object(_)) && left.iter().all(|(key, _)| key != "event_type")
                };
                let (left, right) = (seen(left), seen(right));
                if left.len() != right.len() {
                    let keys =
                        |fields: &[(String, Tree)]| fields.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
                    return Err(format!("{at}: the keys {:?} and {:?}", keys(&left), keys(&right)));
                }
                for ((left_key, left), (right_key, right)) in left.iter().zip(&right) {
                    let at = format!("{at}.{left_key}");
                    self.texts(left_key, right_key, &at, false)?;
                    if data || !self.is_opaque(left_key, left, right) {
                        self.trees(left, right, &at, data || is_value(left_key, left))?;
                    }
                }
                Ok(())
            }
            (Tree::Array(left), Tree::Array(right)) if left.len() == right.len() => {
                let (left, right) = self.in_one_order(left, right);
                let mut both = left.iter().zip(&right).enumerate();
                both.try_for_each(|(index, (left, right))| self.trees(left, right, &format!("{at}[{index}]"), data))
            }
            (Tree::Text(left), Tree::Text(right)) => self.texts(left, right, at, data),
            (left, right) if left == right => Ok(()),
            (left, right) => Err(format!("{at}: {left:?} and {right:?}")),
        }
    }

    fn is_opaque(&self, key: &str, left: &Tree, right: &Tree) -> bool {
        let alike = std::mem::discriminant(left) == std::mem::discriminant(right);
        let of_chains = matches!(key, "from_seq" | "to_seq" | "checkpoints_verified");
        alike && (OPAQUE.contains(&key) || self.restarted && of_chains || self.tied && key == "last_event_id")
    }

    /// What several jobs did at the same instant has no order.
    fn in_one_order(&mut self, left: &[Tree], right: &[Tree]) -> (Vec<Tree>, Vec<Tree>) {
        let together =
            |one: &Tree, other: &Tree| instant_of_job(one).is_some_and(|at| Some(at) == instant_of_job(other));
        let faces = |items: &[Tree]| items.iter().map(faceless).collect::<Vec<_>>();
        let sorted = |items: &[Tree]| {
            let groups = items.chunk_by(together).map(|group| {
                let mut group = group.to_vec();
                group.sort_by_cached_key(faceless);
                group
            });
            groups.flatten().collect::<Vec<_>>()
        };
        if left.windows(2).chain(right.windows(2)).any(|two| together(&two[0], &two[1])) {
            self.tied |= faces(left) != faces(right);
            return (sorted(left), sorted(right));
        }
        (left.to_vec(), right.to_vec())
    }

    pub(super) fn texts(&mut self, left: &str, right: &str, at: &str, data: bool) -> Result<(), String> {
        let (of_left, of_right) = (parts(left), parts(right));
        let differ = || Err(format!("{at}: {left:?} and {right:?}"));
        let same_shape = of_left.len() == of_right.len()
            && of_left.iter().zip(&of_right).all(|(left, right)| match (left, right) {
                (Part::Id(left, _), Part::Id(right, _)) => left == right,
                (Part::Plain(left), Part::Plain(right)) => left == right,
                _ => false,
            });
        if !same_shape {
            let generated = data && !left.starts_with(WRITTEN) && !right.starts_with(WRITTEN);
            let alike = left.len() == right.len() || left.starts_with("-----BEGIN");
            return if generated && alike { self.pair("", left, right, at) } else { differ() };
        }
        for (left, right) in of_left.iter().zip(&of_right) {
            if let (Part::Id(pool, left), Part::Id(_, right)) = (left, right) {
                self.pair(pool, left, right, at)?;
            }
        }
        Ok(())
    }

    /// A text of SQLite's as PostgreSQL has it.
    pub(super) fn as_right(&self, text: &str) -> String {
        let names = parts(text).into_iter().map(|part| match part {
            Part::Id(_, id) => self.to_right.get(id).map_or(id, String::as_str),
            Part::Plain(plain) => plain,
        });
        names.collect()
    }

    fn pair(&mut self, pool: &str, left: &str, right: &str, at: &str) -> Result<(), String> {
        match (self.to_right.get(left), self.to_left.get(right)) {
            (None, None) => {
                self.to_right.insert(left.to_owned(), right.to_owned());
                self.to_left.insert(right.to_owned(), left.to_owned());
                if !pool.is_empty() {
                    let pool = if self.apart { format!("cast-{pool}") } else { pool.to_owned() };
                    self.keep(&pool, left, right);
                }
                Ok(())
            }
            (Some(known), Some(_)) if known == right => Ok(()),
            (known, other) => Err(format!("{at}: {left:?} belongs to {known:?}, {right:?} to {other:?}")),
        }
    }
}

/// When a job of the server did it: an event, an entry of the trail, an item of a history.
fn instant_of_job(item: &Tree) -> Option<&str> {
    let by_job = item.get("identity_id").and_then(Tree::text).is_some_and(|identity| identity.starts_with("system:"));
    item.get("timestamp").filter(|_| by_job).or_else(|| item.get("started_at"))?.text()
}

/// Without what is random.
fn faceless(tree: &Tree) -> String {
    match tree {
        Tree::Array(items) => items.iter().map(faceless).collect::<Vec<_>>().join(","),
        Tree::Bare(bare) => bare.clone(),
        Tree::Object(fields) => {
            let shown = fields.iter().filter(|(key, _)| key != "chain" && !OPAQUE.contains(&key.as_str()));
            shown.map(|(key, value)| format!("{key}:{}", faceless(value))).collect::<Vec<_>>().join(",")
        }
        Tree::Text(text) => {
            let plain = |part| match part {
                Part::Id(pool, _) => pool,
                Part::Plain(plain) => plain,
            };
            parts(text).into_iter().map(plain).collect()
        }
    }
}

#[derive(Debug, PartialEq)]
enum Part<'a> {
    /// Its pool and itself.
    Id(&'a str, &'a str),
    Plain(&'a str),
}

/// Cuts out what the server made: ids with 26 capitals, tokens, digests of tokens.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    let mut done = 0;
    for (middle, mark) in text.match_indices(['_', ':']) {
        if middle < done {
            continue;
        }
        let before = &text[done..middle];
        let start = before
            .rfind(|letter: char| !letter.is_ascii_lowercase() && !letter.is_ascii_digit())
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let pool = &before[start..];
        let after = &text[middle + 1..];
        // A slug whose name was taken ends in four characters by chance.
        let slug = matches!(pool, "ptn" | "rot" | "sp" | "tnt");
        let belongs = |letter: char| letter.is_ascii_alphanumeric() || slug && letter == '_';
        let length = after.find(|letter: char| !belongs(letter)).unwrap_or(after.len());
        let body = &after[..length];
        let is_id = match (pool, mark) {
            ("skt" | "sks", "_") => length == 49,
            ("sha256", ":") => length == 16,
            ("", _) | (_, ":") => false,
            _ if slug => length > 0,
            _ => length == 26 && body.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()),
        };
        if is_id {
            found.push(Part::Plain(&text[done..done + start]));
            found.push(Part::Id(pool, &text[done + start..middle + 1 + length]));
            done = middle + 1 + length;
        }
    }
    found.push(Part::Plain(&text[done..]));
    found
}

#[test]
fn ids_stand_out() {
    let id = "pol_01HK7X9Z0000000000000000ZZ";
    let text = format!("policy:{id}/x");
    assert_eq!(parts(&text), [Part::Plain("policy:"), Part::Id("pol", id), Part::Plain("/x")]);
    assert_eq!(parts("rot_a_x1y2"), [Part::Plain(""), Part::Id("rot", "rot_a_x1y2"), Part::Plain("")]);
    assert_eq!(parts("wh_1"), [Part::Plain("wh_1")]);
    let mut pairs = Pairs::default();
    let tree = |text: &str| Tree::parse(text).unwrap();
    let (one, two) = ("pol_01HK7X9Z0000000000000000AA", "pol_01HK7X9Z0000000000000000BB");
    pairs.compare(&tree(&format!("[\"{one}\"]")), &tree(&format!("[\"{two}\"]"))).unwrap();
    assert!(pairs.compare(&tree(&format!("[\"{one}\"]")), &tree(&format!("[\"{one}\"]"))).is_err());
    assert!(pairs.compare(&tree(r#"{"data":{"a":"v:1"}}"#), &tree(r#"{"data":{"a":"v:2"}}"#)).is_err());
    pairs.compare(&tree(r#"{"data":{"a":"x1"}}"#), &tree(r#"{"data":{"a":"x2"}}"#)).unwrap();
    assert!(pairs.compare(&tree(r#"{"data":{"a":"x1"}}"#), &tree(r#"{"data":{"a":"x3"}}"#)).is_err());
}
