//! What `check` found, a line each.

use std::fmt::{self, Display};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Ok,
    Warning,
    Fault,
}

impl Mark {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "FAULT",
        }
    }
}

/// Prints as a table of mark, subject and text, and what to do next.
#[derive(Debug, Default)]
pub(super) struct Report {
    lines: Vec<(Mark, String, String)>,
    next: Option<String>,
}

impl Report {
    pub(super) fn ok(&mut self, subject: &str, text: impl Display) {
        self.add(Mark::Ok, subject, text);
    }

    /// A start may go on, but someone should know.
    pub(super) fn warning(&mut self, subject: &str, text: impl Display) {
        self.add(Mark::Warning, subject, text);
    }

    /// The server would not start, or would stay sealed.
    pub(super) fn fault(&mut self, subject: &str, text: impl Display) {
        self.add(Mark::Fault, subject, text);
    }

    /// Takes back what was said of a subject.
    pub(super) fn retract(&mut self, subject: &str) {
        self.lines.retain(|(_, said_of, _)| said_of != subject);
    }

    fn add(&mut self, mark: Mark, subject: &str, text: impl Display) {
        self.lines.push((mark, subject.to_owned(), text.to_string()));
    }

    pub(super) fn next(&mut self, text: String) {
        self.next = Some(text);
    }

    pub(super) fn faults(&self) -> usize {
        self.lines.iter().filter(|(mark, ..)| *mark == Mark::Fault).count()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (mark, subject, text) in &self.lines {
            writeln!(f, "{:<8} {subject:<15} {text}", mark.word())?;
        }
        match &self.next {
            Some(next) => writeln!(f, "next:    {next}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_table_and_counts_its_faults() {
        let mut report = Report::default();
        report.ok("database", "opens");
        report.warning("data directory", "wide");
        report.fault("root key", "missing");
        report.next("mend it".to_owned());
        assert_eq!(report.faults(), 1);
        assert_eq!(
            report.to_string(),
            "ok       database        opens\nwarning  data directory  wide\nFAULT    root key        missing\nnext:    mend it\n"
        );
    }
}
