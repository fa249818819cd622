//! Questions to whoever sits at the terminal.

use std::io::{self, BufRead, IsTerminal as _, Write};

use auth_password::password::{MIN_LENGTH, Password};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::printable::printable;

/// Longer than any password: 256 code points, however they are written.
const MAX_LINE: u16 = 16 * 1024;

/// Asks whether something that cannot be undone is to be done, unless the command line has the answer.
pub(crate) fn confirm_unless(yes: bool, question: &str) -> Result<(), Failure> {
    if yes { Ok(()) } else { confirm(question) }
}

fn confirm(question: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::NobodyToAsk);
    }
    confirm_on(&mut io::stdin().lock(), &mut io::stderr(), question)
}

fn confirm_on(answers: &mut impl BufRead, questions: &mut impl Write, question: &str) -> Result<(), Failure> {
    write!(questions, "{} [y/N] ", printable(question)).and_then(|()| questions.flush()).map_err(Failure::Terminal)?;
    let mut answer = String::new();
    answers.read_line(&mut answer).map_err(Failure::Terminal)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Declined),
    }
}

/// A password to be set: asked for twice without echo, or the first line of standard input where that is no terminal.
pub(crate) fn new_password() -> Result<Password, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(Password::chosen(&first_line(io::stdin().lock())?, MIN_LENGTH)?);
    }
    let ask = |question| rpassword::prompt_password(question).map(Zeroizing::new).map_err(Failure::Terminal);
    let text = ask("New password: ")?;
    let password = Password::chosen(&text, MIN_LENGTH)?;
    if text == ask("The same again: ")? { Ok(password) } else { Err(Failure::PasswordsDiffer) }
}

fn first_line(input: impl BufRead) -> Result<Zeroizing<String>, Failure> {
    // A string that grows leaves a copy behind in freed memory.
    let mut line = Zeroizing::new(String::with_capacity(MAX_LINE.into()));
    input.take(MAX_LINE.into()).read_line(&mut line).map_err(|_| Failure::NoPassword)?;
    if line.is_empty() {
        return Err(Failure::NoPassword);
    }
    let length = line.trim_end_matches('\n').trim_end_matches('\r').len();
    line.truncate(length);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for (answer, yes) in [
            ("y\n", true),
            ("yes\n", true),
            ("Yes", true),
            (" y \r\n", true),
            ("\n", false),
            ("", false),
            ("n\n", false),
            ("yep\n", false),
        ] {
            let mut asked = Vec::new();
            let confirmed = confirm_on(&mut answer.as_bytes(), &mut asked, "delete?");
            assert_eq!(confirmed.is_ok(), yes, "{answer:?}");
            assert_eq!(asked, b"delete? [y/N] ");
        }
    }

    #[test]
    fn what_stands_in_a_question_does_not_change_it() {
        let mut asked = Vec::new();
        let question = "End session 1 of \"alice\" (\u{1b}[1K\rDelete nothing\u{202e}\u{61c})?";
        assert!(confirm_on(&mut b"y\n".as_slice(), &mut asked, question).is_ok());
        let expected = "End session 1 of \"alice\" (\u{fffd}[1K\u{fffd}Delete nothing\u{fffd}\u{fffd})? [y/N] ";
        assert_eq!(String::from_utf8(asked).unwrap(), expected);
    }

    #[test]
    fn a_password_is_the_first_line_without_its_end() {
        for (input, expected) in [
            ("secret\nuser: alice\n", Some("secret")),
            ("secret\r\n", Some("secret")),
            ("secret", Some("secret")),
            (" two words \n", Some(" two words ")),
            ("\n", Some("")),
            ("", None),
        ] {
            let line = first_line(input.as_bytes()).ok();
            assert_eq!(line.as_ref().map(|line| line.as_str()), expected, "{input:?}");
        }
        assert!(matches!(first_line([0xff, b'\n'].as_slice()), Err(Failure::NoPassword)));
    }
}
