//! What the store keeps of a password, as a PHC string.

use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;

use crate::hasher::Parameters;

const SALT_LENGTHS: RangeInclusive<usize> = 8..=64;
const OUTPUT_LENGTHS: RangeInclusive<usize> = 16..=64;

/// An Argon2id hash, version 0x13, with what it was computed from.
///
/// Its text is `$argon2id$v=19$m=…,t=…,p=…$salt$output`, base64 without padding.
pub(crate) struct Stored {
    pub(crate) parameters: Parameters,
    pub(crate) salt: Vec<u8>,
    pub(crate) output: Vec<u8>,
}

impl Stored {
    /// Reads a hash of ours or an imported one, when it is within the bounds of what we compute.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$argon2id$v=19$m=")?;
        let (memory_kib, rest) = rest.split_once(",t=")?;
        let (iterations, rest) = rest.split_once(",p=")?;
        let (parallelism, rest) = rest.split_once('$')?;
        let (salt, output) = rest.split_once('$')?;
        let [memory_kib, iterations, parallelism] = [memory_kib, iterations, parallelism].map(str::parse);
        let stored = Self {
            parameters: Parameters::new(memory_kib.ok()?, iterations.ok()?, parallelism.ok()?).ok()?,
            salt: decode(salt, &SALT_LENGTHS)?,
            output: decode(output, &OUTPUT_LENGTHS)?,
        };
        // One spelling only: `+1` and `01` are numbers to Rust, but not to the PHC format.
        (stored.to_string() == text).then_some(stored)
    }
}

impl fmt::Display for Stored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = self.parameters.as_params();
        let [salt, output] = [&self.salt, &self.output].map(|bytes| BASE64_STANDARD_NO_PAD.encode(bytes));
        let (memory_kib, iterations, parallelism) = (params.m_cost(), params.t_cost(), params.p_cost());
        write!(formatter, "$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}${salt}${output}")
    }
}

fn decode(text: &str, lengths: &RangeInclusive<usize>) -> Option<Vec<u8>> {
    BASE64_STANDARD_NO_PAD.decode(text).ok().filter(|bytes| lengths.contains(&bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(numbers: &str, salt: usize, output: usize) -> String {
        let [salt, output] = [salt, output].map(|length| BASE64_STANDARD_NO_PAD.encode(vec![7; length]));
        format!("$argon2id$v=19${numbers}${salt}${output}")
    }

    #[test]
    fn what_is_within_the_bounds_is_read_and_written_alike() {
        for text in [
            text("m=19456,t=2,p=1", 16, 32),
            text("m=65536,t=10,p=4", 64, 64),
            text("m=32,t=1,p=4", 8, 16),
            text("m=8,t=1,p=1", 16, 32),
        ] {
            let stored = Stored::parse(&text).unwrap();
            assert_eq!(stored.to_string(), text);
        }
    }

    #[test]
    fn each_excess_is_refused() {
        let cases = [
            ("memory above the cap", text("m=65537,t=2,p=1", 16, 32)),
            ("memory beyond 32 bits", text("m=4294967296,t=2,p=1", 16, 32)),
            ("memory below 8 KiB", text("m=7,t=2,p=1", 16, 32)),
            ("memory below 8 KiB a lane", text("m=31,t=2,p=4", 16, 32)),
            ("too many iterations", text("m=19456,t=11,p=1", 16, 32)),
            ("no iteration", text("m=19456,t=0,p=1", 16, 32)),
            ("too many lanes", text("m=19456,t=2,p=5", 16, 32)),
            ("no lane", text("m=19456,t=2,p=0", 16, 32)),
            ("short salt", text("m=19456,t=2,p=1", 7, 32)),
            ("long salt", text("m=19456,t=2,p=1", 65, 32)),
            ("short output", text("m=19456,t=2,p=1", 16, 15)),
            ("long output", text("m=19456,t=2,p=1", 16, 65)),
        ];
        for (name, text) in cases {
            assert!(Stored::parse(&text).is_none(), "{name}");
        }
    }

    #[test]
    fn other_algorithms_and_spellings_are_refused() {
        let good = text("m=19456,t=2,p=1", 16, 32);
        let cases = [
            ("nothing", String::new()),
            ("another text", "correct horse battery staple".to_owned()),
            ("argon2i", good.replace("argon2id", "argon2i")),
            ("argon2d", good.replace("argon2id", "argon2d")),
            ("bcrypt", "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW".to_owned()),
            ("version 0x10", good.replace("v=19", "v=16")),
            ("no version", good.replace("$v=19", "")),
            ("another order", good.replace("m=19456,t=2", "t=2,m=19456")),
            ("a parameter missing", good.replace(",t=2", "")),
            ("a parameter twice", good.replace(",t=2", ",t=2,t=2")),
            ("a parameter more", good.replace(",p=1", ",p=1,data=AAAA")),
            ("a sign", good.replace("t=2", "t=+2")),
            ("a leading zero", good.replace("t=2", "t=02")),
            ("a space before", format!(" {good}")),
            ("a newline after", format!("{good}\n")),
            ("padding", format!("{good}=")),
            ("a field more", format!("{good}$AAAA")),
            ("no output", good.rsplit_once('$').unwrap().0.to_owned()),
            ("an empty output", good.rsplit_once('$').unwrap().0.to_owned() + "$"),
            ("stray bits", format!("{}d", &good[..good.len() - 1])),
            ("URL alphabet", format!("{}_", &good[..good.len() - 1])),
        ];
        for (name, text) in cases {
            assert_ne!(text, good, "{name}");
            assert!(Stored::parse(&text).is_none(), "{name}");
        }
        assert!(Stored::parse(&good).is_some());
    }
}
