//! Text of others on a terminal.

use std::borrow::Cow;

/// Without what a terminal would obey: a description could otherwise move the cursor, or rename the window.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_obeyed(char) { escaped.extend(char.escape_default()) } else { escaped.push(char) }
    }
    Cow::Owned(escaped)
}

/// Controls, and what turns the direction of writing.
fn is_obeyed(char: char) -> bool {
    char.is_control() || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(printable("\u{1b}[31mred\n\u{202e}"), "\\u{1b}[31mred\\n\\u{202e}");
        assert!(matches!(printable("größer"), Cow::Borrowed(_)));
    }
}
