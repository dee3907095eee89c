//! Patterns over paths (contract 00 section 9).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::path::{MAX_CHARACTERS, is_path_byte};

/// A valid pattern, compiled. Anchored at both ends and case-sensitive. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Glob {
    text: Arc<str>,
    parts: Arc<[Part]>,
    literal_len: usize,
}

/// What one segment of the pattern stands for. Offsets are into the pattern's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Exactly these characters.
    Literal { start: usize, end: usize },
    /// Characters with `*` or `?` among them.
    Wild { start: usize, end: usize },
    /// `*`: any one segment.
    One,
    /// The "zero or more segments" that is left of `**` once its "one or more" is written out as `*`.
    Many,
}

impl Glob {
    /// # Errors
    /// [`GlobError`] with the reason: 400 `invalid_glob`.
    pub fn parse(text: &str) -> Result<Glob, GlobError> {
        check(text)?;
        let literal_len = text.find(['*', '?']).unwrap_or(text.len());
        Ok(Glob { text: text.into(), parts: compile(text).into(), literal_len })
    }

    /// The pattern as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The longest plain string every match begins with; the whole pattern when it has no wildcard.
    pub fn literal_prefix(&self) -> &str {
        self.text.get(..self.literal_len).unwrap_or_default()
    }

    /// Whether it is `**`, which every path matches.
    pub fn is_match_all(&self) -> bool {
        &*self.text == "**"
    }

    /// Whether the valid path `path` matches. Takes time of at most pattern length x path length, whatever they are.
    pub fn matches(&self, path: &str) -> bool {
        // Most rules fail here, on the first few bytes.
        if !path.as_bytes().starts_with(self.literal_prefix().as_bytes()) {
            return false;
        }
        if self.literal_len == self.text.len() {
            return path.len() == self.text.len();
        }
        self.is_match_all() || self.matches_segments(path)
    }

    /// Takes segments greedily and, on a mismatch, lets the last `Many` swallow one segment more. Going back further than to the last
    /// one never helps: what stood before it matched as early as it could. So each (part, segment) pair is compared at most once.
    fn matches_segments(&self, path: &str) -> bool {
        let mut parts = self.parts.iter();
        let mut segments = path.split('/');
        let mut retry = None;
        loop {
            match parts.next() {
                Some(Part::Many) => {
                    retry = Some((parts.clone(), segments.clone()));
                    continue;
                }
                Some(part) => match segments.next() {
                    Some(segment) if self.part_matches(*part, segment) => continue,
                    Some(_) => {}
                    None => return false,
                },
                None if segments.next().is_none() => return true,
                None => {}
            }
            let Some((after, from)) = &mut retry else { return false };
            if from.next().is_none() {
                return false;
            }
            parts = after.clone();
            segments = from.clone();
        }
    }

    fn part_matches(&self, part: Part, segment: &str) -> bool {
        let slice = |start, end| self.text.as_bytes().get(start..end).unwrap_or_default();
        match part {
            Part::Literal { start, end } => slice(start, end) == segment.as_bytes(),
            Part::Wild { start, end } => wildcard(slice(start, end), segment.as_bytes()),
            Part::One => !segment.is_empty(),
            Part::Many => false,
        }
    }
}

/// `*` any run, `?` any one byte. The same greedy walk as over segments, with bytes.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let mut pattern = pattern.iter();
    let mut text = text.iter();
    let mut retry = None;
    loop {
        match pattern.next() {
            Some(b'*') => {
                retry = Some((pattern.clone(), text.clone()));
                continue;
            }
            Some(wanted) => match text.next() {
                Some(found) if *wanted == b'?' || wanted == found => continue,
                Some(_) => {}
                None => return false,
            },
            None if text.next().is_none() => return true,
            None => {}
        }
        let Some((after, from)) = &mut retry else { return false };
        if from.next().is_none() {
            return false;
        }
        pattern = after.clone();
        text = from.clone();
    }
}

fn check(text: &str) -> Result<(), GlobError> {
    let refuse = |reason| Err(GlobError { reason });
    if text.is_empty() {
        return refuse("empty");
    }
    if !text.bytes().all(|byte| is_path_byte(byte) || matches!(byte, b'/' | b'*' | b'?')) {
        return refuse("character");
    }
    if text.len() > MAX_CHARACTERS {
        return refuse("too_long");
    }
    for segment in text.split('/') {
        match segment {
            "" => return refuse("empty_segment"),
            "." | ".." => return refuse("dot_segment"),
            "**" => {}
            other if other.contains("**") => return refuse("double_star"),
            _ => {}
        }
    }
    Ok(())
}

/// `**` at the start or the end stands for one or more segments, in the middle for zero or more.
fn compile(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut start = 0;
    for segment in text.split('/') {
        let end = start + segment.len();
        match segment {
            "**" => {
                if start == 0 || end == text.len() {
                    parts.push(Part::One);
                }
                parts.push(Part::Many);
            }
            "*" => parts.push(Part::One),
            plain if !plain.contains(['*', '?']) => parts.push(Part::Literal { start, end }),
            _ => parts.push(Part::Wild { start, end }),
        }
        start = end + 1;
    }
    parts
}

impl PartialEq for Glob {
    fn eq(&self, other: &Glob) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl Hash for Glob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Glob::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A pattern that is not valid: `details.reason` of 400 `invalid_glob`, one of `empty`, `too_long`, `character`, `empty_segment`,
/// `dot_segment`, `double_star` (ours; `**` that is not a whole segment).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pattern is not a valid glob: {reason}")]
pub struct GlobError {
    pub reason: &'static str,
}

/// The fewest plain prefixes that every match of the globs begins with: sorted, none a prefix of another. One scan of each range of
/// the path index sees every possible match once. No globs: none; a glob that may match anywhere: one empty prefix.
pub fn covering_prefixes<'a>(globs: impl IntoIterator<Item = &'a Glob>) -> Vec<String> {
    let mut prefixes: Vec<&str> = globs.into_iter().map(Glob::literal_prefix).collect();
    prefixes.sort_unstable();
    let mut covering: Vec<String> = Vec::new();
    for prefix in prefixes {
        // In sorted order what a prefix covers follows it directly.
        if !covering.last().is_some_and(|last| prefix.starts_with(last.as_str())) {
            covering.push(prefix.to_owned());
        }
    }
    covering
}

/// What lies in a range of both: prefixes as of [`covering_prefixes`], sorted, none a prefix of another.
pub fn common_ranges(left: &[String], right: &[String]) -> Vec<String> {
    let meet =
        |left: &String, right: &String| match (left.starts_with(right.as_str()), right.starts_with(left.as_str())) {
            (true, _) => Some(left.clone()),
            (false, true) => Some(right.clone()),
            (false, false) => None,
        };
    let mut common: Vec<String> =
        left.iter().flat_map(|left| right.iter().filter_map(move |right| meet(left, right))).collect();
    common.sort_unstable();
    common
}

#[cfg(test)]
pub(crate) mod tests;
