//! Route patterns: literal segments, `{name}` for one segment, and one `{path}` that takes any number of them and may have
//! literals behind it (`/v1/secrets/{path}/versions`), which is why the table is not axum's own.

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: &'static str,
    before: Vec<Part>,
    /// Literals behind `{path}`; `None` without one.
    after_path: Option<Vec<&'static str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(&'static str),
    Param(&'static str),
}

/// The raw (still percent-encoded) texts that a pattern's names took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Captures(Vec<(&'static str, String)>);

impl Captures {
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }

    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(captured, _)| *captured == name).map(|(_, text)| text.as_str())
    }
}

const REST: &str = "{path}";

impl Pattern {
    pub(crate) fn new(text: &'static str) -> Self {
        let segments: Vec<&'static str> = text.split('/').skip(1).collect();
        let (before, after_path) = match segments.iter().position(|segment| *segment == REST) {
            Some(at) => (
                segments.iter().take(at).copied().collect::<Vec<_>>(),
                Some(segments.into_iter().skip(at + 1).collect()),
            ),
            None => (segments, None),
        };
        let part = |segment: &'static str| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => Part::Param(name),
            None => Part::Literal(segment),
        };
        Self { text, before: before.into_iter().map(part).collect(), after_path }
    }

    pub(crate) fn text(&self) -> &'static str {
        self.text
    }

    pub(crate) fn takes_path(&self) -> bool {
        self.after_path.is_some()
    }

    /// Among patterns that match, the one with most literals is meant.
    pub(crate) fn precision(&self) -> usize {
        let literals = self.before.iter().filter(|part| matches!(part, Part::Literal(_))).count();
        literals + self.after_path.as_ref().map_or(0, Vec::len)
    }

    /// Matches a raw path. `{path}` may take an empty text (`/v1/secrets/`), so that an empty secret path gets its own answer; with
    /// literals behind it, it takes at least one segment.
    pub(crate) fn matches(&self, path: &str) -> Option<Captures> {
        let mut captures = Vec::new();
        let mut rest = path.strip_prefix('/')?;
        for (index, part) in self.before.iter().enumerate() {
            let is_last = index + 1 == self.before.len() && self.after_path.is_none();
            let (segment, behind) = match rest.split_once('/') {
                Some((segment, behind)) if !is_last => (segment, behind),
                Some(_) => return None,
                None if is_last => (rest, ""),
                None => return None,
            };
            match part {
                Part::Literal(literal) if *literal == segment => {}
                Part::Param(name) if !segment.is_empty() => captures.push((*name, segment.to_owned())),
                Part::Literal(_) | Part::Param(_) => return None,
            }
            rest = behind;
        }
        if let Some(literals) = &self.after_path {
            for literal in literals.iter().rev() {
                rest = rest.strip_suffix(literal)?.strip_suffix('/')?;
            }
            captures.push(("path", rest.to_owned()));
        }
        Some(Captures(captures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(pattern: &'static str, path: &str) -> Option<String> {
        Pattern::new(pattern).matches(path).map(|captures| captures.raw("path").unwrap_or_default().to_owned())
    }

    #[test]
    fn a_path_takes_what_lies_between_the_literals() {
        assert_eq!(captured("/v1/secrets/{path}", "/v1/secrets/a/b").as_deref(), Some("a/b"));
        assert_eq!(captured("/v1/secrets/{path}", "/v1/secrets/").as_deref(), Some(""));
        assert_eq!(captured("/v1/secrets/{path}", "/v1/secrets//a").as_deref(), Some("/a"));
        assert_eq!(captured("/v1/secrets/{path}", "/v1/secrets"), None);
        assert_eq!(captured("/v1/secrets/{path}/versions", "/v1/secrets/a/b/versions").as_deref(), Some("a/b"));
        assert_eq!(captured("/v1/secrets/{path}/versions", "/v1/secrets/versions"), None);
        assert_eq!(captured("/v1/secrets/{path}/versions", "/v1/secrets/a/xversions"), None);
    }

    #[test]
    fn names_take_one_segment() {
        let captures =
            Pattern::new("/v1/policies/{id}/bindings/{binding_id}").matches("/v1/policies/pol_1/bindings/bnd_2");
        assert_eq!(captures.as_ref().and_then(|captures| captures.raw("binding_id")), Some("bnd_2"));
        assert_eq!(Pattern::new("/v1/policies/{id}").matches("/v1/policies/a/b"), None);
        assert_eq!(Pattern::new("/v1/policies/{id}").matches("/v1/policies/"), None);
        assert_eq!(Pattern::new("/v1/policies").matches("/v1/policies/"), None);
    }
}
