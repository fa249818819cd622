//! Text that is safe on a terminal.

/// The text without what would move the cursor or turn lines round: what clients have sent, a device's name for one, must
/// do neither.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|char| if is_harmless(char) { char } else { char::REPLACEMENT_CHARACTER }).collect()
}

fn is_harmless(char: char) -> bool {
    !char.is_control()
        && !matches!(char, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_client_sent_moves_the_cursor() {
        let cases = [
            ("phone \u{1f4f1}", "phone \u{1f4f1}"),
            ("\u{1b}[2J", "\u{fffd}[2J"),
            ("a\r\nb\t\u{9b}1m\u{7f}", "a\u{fffd}\u{fffd}b\u{fffd}\u{fffd}1m\u{fffd}"),
            ("\u{202e}eno\u{2066}\u{61c}\u{200f}", "\u{fffd}eno\u{fffd}\u{fffd}\u{fffd}"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
        }
    }
}
