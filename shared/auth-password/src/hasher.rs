//! Computing and checking the hash of a password.

use argon2::{Algorithm, Argon2, Params, Version};
use auth_core::entropy::{Entropy, NoEntropy};
use aws_lc_rs::constant_time;

use crate::memory::Memory;
use crate::password::Password;
use crate::stored::Stored;

const SALT_LENGTH: usize = 16;
const OUTPUT_LENGTH: usize = 32;

/// What an Argon2id hash costs (RFC 9106 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters(Params);

/// The parameters are not ones that this server computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected memory from 8 KiB a lane to {max_memory_kib} KiB, 1 to {max_iterations} iterations and \
     1 to {max_parallelism} lanes",
    max_memory_kib = Parameters::MAX_MEMORY_KIB,
    max_iterations = Parameters::MAX_ITERATIONS,
    max_parallelism = Parameters::MAX_PARALLELISM,
)]
pub struct OutOfBounds;

impl Parameters {
    /// The most memory, in KiB: what a stored hash may make this process allocate.
    pub const MAX_MEMORY_KIB: u32 = 64 * 1024;
    /// The most passes over the memory.
    pub const MAX_ITERATIONS: u32 = 10;
    /// The most lanes.
    pub const MAX_PARALLELISM: u32 = 4;

    /// Memory in KiB (`m`), passes over it (`t`) and lanes (`p`). Lanes are computed one after another.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] when one is zero or above its maximum, or when the memory is below 8 KiB a lane.
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, OutOfBounds> {
        if memory_kib > Self::MAX_MEMORY_KIB || iterations > Self::MAX_ITERATIONS || parallelism > Self::MAX_PARALLELISM
        {
            return Err(OutOfBounds);
        }
        Params::new(memory_kib, iterations, parallelism, None).map(Self).map_err(|_| OutOfBounds)
    }

    pub(crate) const fn as_params(&self) -> &Params {
        &self.0
    }
}

impl Default for Parameters {
    /// 19456 KiB, 2 iterations, 1 lane: OWASP's recommendation (Password Storage Cheat Sheet).
    fn default() -> Self {
        Self(Params::DEFAULT)
    }
}

/// Computes and checks password hashes, one at a time, in memory that it keeps and wipes.
///
/// Each call occupies its thread for the whole hash, and others wait for their turn: memory stays at one buffer,
/// and one more of at most 64 MiB while a stored hash asks for more than the current parameters do.
pub struct Hasher {
    parameters: Parameters,
    memory: Memory,
    /// A hash with the current parameters that no password has.
    unknown: String,
}

/// What a check found.
#[must_use = "a wrong password is not an error"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another password.
    Wrong,
    /// It is the password.
    Right {
        /// Whether parameters or lengths differ from the current ones: hash the password anew and store that.
        outdated: bool,
    },
}

/// No hash was computed: a fault of ours, which says nothing about the password.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The stored text is no Argon2id hash of version 0x13, or one beyond the bounds of [`Parameters`].
    #[error("the stored password hash cannot be used")]
    Unusable,
    /// There was no salt to be had.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// Argon2 did not take its input, which the checks of this crate rule out.
    #[error("argon2 refused its input: {0}")]
    Refused(argon2::Error),
}

impl Hasher {
    /// Allocates the memory for hashes with these parameters, and has every page of it faulted in.
    pub fn new(parameters: Parameters) -> Self {
        let memory = Memory::keep(parameters.as_params().block_count());
        // To find a password of this hash is to invert Argon2 at one point of 2^256.
        let (salt, output) = (vec![0; SALT_LENGTH], vec![0; OUTPUT_LENGTH]);
        let unknown = Stored { parameters: parameters.clone(), salt, output }.to_string();
        Self { parameters, memory, unknown }
    }

    /// The hash to store of `password`: a PHC string with a new salt of 16 bytes and an output of 32.
    ///
    /// # Errors
    ///
    /// [`HashError::NoEntropy`] when there is no salt.
    pub fn hash(&self, password: &Password, entropy: &dyn Entropy) -> Result<String, HashError> {
        let salt = entropy.draw::<SALT_LENGTH>()?.to_vec();
        let output = self.compute(password, &self.parameters, &salt, OUTPUT_LENGTH)?;
        Ok(Stored { parameters: self.parameters.clone(), salt, output }.to_string())
    }

    /// Whether `stored` is a hash of `password`.
    ///
    /// # Errors
    ///
    /// [`HashError::Unusable`] when `stored` is not a hash that this server computes.
    pub fn verify(&self, password: &Password, stored: &str) -> Result<Verdict, HashError> {
        let stored = Stored::parse(stored).ok_or(HashError::Unusable)?;
        let output = self.compute(password, &stored.parameters, &stored.salt, stored.output.len())?;
        Ok(match constant_time::verify_slices_are_equal(&output, &stored.output) {
            Ok(()) => Verdict::Right { outdated: self.is_outdated(&stored) },
            Err(_) => Verdict::Wrong,
        })
    }

    /// Does for a user who does not exist the work of [`Self::verify`] with the current parameters: the answer takes as
    /// long as one about a user who does.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`], though none is to be expected.
    pub fn verify_unknown(&self, password: &Password) -> Result<(), HashError> {
        self.verify(password, &self.unknown).map(|_| ())
    }

    fn compute(
        &self,
        password: &Password,
        parameters: &Parameters,
        salt: &[u8],
        length: usize,
    ) -> Result<Vec<u8>, HashError> {
        let params = parameters.as_params();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut output = vec![0; length];
        self.memory
            .lend(params.block_count(), |blocks| {
                argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut output, blocks)
            })
            .map_err(HashError::Refused)?;
        Ok(output)
    }

    fn is_outdated(&self, stored: &Stored) -> bool {
        stored.parameters != self.parameters || stored.salt.len() != SALT_LENGTH || stored.output.len() != OUTPUT_LENGTH
    }
}

#[cfg(test)]
mod tests {
    use auth_core::entropy::SeededEntropy;

    use super::*;

    const RIGHT: Verdict = Verdict::Right { outdated: false };
    const OUTDATED: Verdict = Verdict::Right { outdated: true };

    /// A hasher whose hashes take next to no time.
    fn hasher() -> Hasher {
        Hasher::new(Parameters::new(64, 1, 1).unwrap())
    }

    fn password(text: &str) -> Password {
        Password::presented(text).unwrap()
    }

    #[test]
    fn published_hashes_are_recognised() {
        // phc-winner-argon2, src/test.c, Argon2id of version 0x13 (CC0 or Apache-2.0).
        let cases = [
            ("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
            ("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
            ("password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"),
            ("password", "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg"),
            ("password", "$argon2id$v=19$m=65536,t=4,p=1$c29tZXNhbHQ$kCXUjmjvc5XMqQedpMTsOv+zyJEf5PhtGiUghW9jFyw"),
            (
                "differentpassword",
                "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94",
            ),
            ("password", "$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw"),
        ];
        let hasher = hasher();
        for (text, stored) in cases {
            assert_eq!(hasher.verify(&password(text), stored).unwrap(), OUTDATED, "{stored}");
            assert_eq!(hasher.verify(&password("Password"), stored).unwrap(), Verdict::Wrong, "{stored}");
        }
    }

    #[test]
    fn a_hash_recognises_its_password_only() {
        let hasher = hasher();
        let stored = hasher.hash(&password("caf\u{e9} au lait"), &SeededEntropy::new(1)).unwrap();
        let cases = [
            ("the same", "caf\u{e9} au lait", RIGHT),
            ("decomposed", "cafe\u{301} au lait", RIGHT),
            ("no accent", "cafe au lait", Verdict::Wrong),
            ("other case", "Caf\u{e9} au lait", Verdict::Wrong),
            ("space after", "caf\u{e9} au lait ", Verdict::Wrong),
            ("cut off", "caf\u{e9} au lai", Verdict::Wrong),
        ];
        for (name, text, expected) in cases {
            assert_eq!(hasher.verify(&password(text), &stored).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn the_whole_password_counts() {
        let hasher = hasher();
        let stored = hasher.hash(&password(&"🔑".repeat(256)), &SeededEntropy::new(1)).unwrap();
        assert_eq!(hasher.verify(&password(&"🔑".repeat(256)), &stored).unwrap(), RIGHT);
        assert_eq!(hasher.verify(&password(&"🔑".repeat(255)), &stored).unwrap(), Verdict::Wrong);
    }

    #[test]
    fn the_default_is_the_recommended_one_and_each_salt_is_new() {
        assert_eq!(Ok(Parameters::default()), Parameters::new(19_456, 2, 1));
        let (hasher, entropy) = (Hasher::new(Parameters::default()), SeededEntropy::new(1));
        let [first, second] = [0; 2].map(|_| hasher.hash(&password("secret"), &entropy).unwrap());
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        let [first, second] = [first, second].map(|text| Stored::parse(&text).unwrap());
        assert_eq!((first.salt.len(), first.output.len()), (16, 32));
        assert_ne!(first.salt, second.salt);
        assert_ne!(first.output, second.output);
    }

    #[test]
    fn parameters_end_at_their_bounds() {
        let cases = [
            ("least", 8, 1, 1, true),
            ("most", 65_536, 10, 4, true),
            ("too much memory", 65_537, 10, 4, false),
            ("too little memory", 7, 1, 1, false),
            ("too little memory a lane", 15, 1, 2, false),
            ("enough memory a lane", 16, 1, 2, true),
            ("too many iterations", 65_536, 11, 4, false),
            ("no iteration", 8, 0, 1, false),
            ("too many lanes", 65_536, 10, 5, false),
            ("no lane", 8, 1, 0, false),
        ];
        for (name, memory_kib, iterations, parallelism, good) in cases {
            assert_eq!(Parameters::new(memory_kib, iterations, parallelism).is_ok(), good, "{name}");
        }
        assert_eq!(
            OutOfBounds.to_string(),
            "expected memory from 8 KiB a lane to 65536 KiB, 1 to 10 iterations and 1 to 4 lanes"
        );
    }

    #[test]
    fn a_hash_that_differs_from_the_current_ones_is_outdated() {
        let current = hasher();
        // Every length of salt and output, computed as an import would have been.
        let stored = |parameters: [u32; 3], salt: usize, output: usize| {
            let [memory_kib, iterations, parallelism] = parameters;
            let parameters = Parameters::new(memory_kib, iterations, parallelism).unwrap();
            let salt = vec![7; salt];
            let output = current.compute(&password("secret"), &parameters, &salt, output).unwrap();
            Stored { parameters, salt, output }.to_string()
        };
        let cases = [
            ("current", [64, 1, 1], 16, 32, RIGHT),
            ("less memory", [63, 1, 1], 16, 32, OUTDATED),
            ("more memory than is kept", [128, 1, 1], 16, 32, OUTDATED),
            ("more iterations", [64, 2, 1], 16, 32, OUTDATED),
            ("more lanes", [64, 1, 4], 16, 32, OUTDATED),
            ("shorter salt", [64, 1, 1], 8, 32, OUTDATED),
            ("longer salt", [64, 1, 1], 64, 32, OUTDATED),
            ("shorter output", [64, 1, 1], 16, 16, OUTDATED),
            ("longer output", [64, 1, 1], 16, 64, OUTDATED),
        ];
        for (name, parameters, salt, output, expected) in cases {
            let stored = stored(parameters, salt, output);
            assert_eq!(current.verify(&password("secret"), &stored).unwrap(), expected, "{name}");
            assert_eq!(current.verify(&password("Secret"), &stored).unwrap(), Verdict::Wrong, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_checked_is_our_fault() {
        let hasher = hasher();
        let good = hasher.hash(&password("secret"), &SeededEntropy::new(1)).unwrap();
        let cases = [
            ("nothing", String::new()),
            ("the password itself", "secret".to_owned()),
            ("memory", good.replace("m=64,", "m=65537,")),
            ("iterations", good.replace("t=1,", "t=11,")),
            ("lanes", good.replace("p=1$", "p=5$")),
            ("algorithm", good.replace("argon2id", "argon2i")),
            ("version", good.replace("v=19", "v=16")),
            ("cut off", good[..good.len() - 1].to_owned()),
        ];
        for (name, stored) in cases {
            let error = hasher.verify(&password("secret"), &stored).unwrap_err();
            assert!(matches!(error, HashError::Unusable), "{name}: {error}");
            assert_eq!(error.to_string(), "the stored password hash cannot be used");
        }
    }

    #[test]
    fn an_unknown_user_costs_a_current_hash_and_has_no_password() {
        let hasher = hasher();
        let unknown = Stored::parse(&hasher.unknown).unwrap();
        assert!(!hasher.is_outdated(&unknown));
        assert!(hasher.verify_unknown(&password("secret")).is_ok());
        assert_eq!(hasher.verify(&password("secret"), &hasher.unknown).unwrap(), Verdict::Wrong);
    }

    #[test]
    fn without_entropy_there_is_no_hash() {
        struct Empty;
        impl Entropy for Empty {
            fn fill(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
                Err(NoEntropy)
            }
        }
        assert!(matches!(hasher().hash(&password("secret"), &Empty), Err(HashError::NoEntropy(_))));
    }

    #[test]
    fn the_kept_memory_is_wiped_after_each_use() {
        let hasher = hasher();
        let stored = hasher.hash(&password("secret"), &SeededEntropy::new(1)).unwrap();
        assert!(hasher.memory.is_blank(), "after a hash");
        assert_eq!(hasher.verify(&password("secret"), &stored).unwrap(), RIGHT);
        assert!(hasher.memory.is_blank(), "after the right password");
        assert_eq!(hasher.verify(&password("wrong"), &stored).unwrap(), Verdict::Wrong);
        assert!(hasher.memory.is_blank(), "after a wrong password");
        hasher.verify_unknown(&password("secret")).unwrap();
        assert!(hasher.memory.is_blank(), "after an unknown user");
        let short_salt = hasher.compute(&password("secret"), &hasher.parameters, &[0; 7], OUTPUT_LENGTH);
        assert!(matches!(short_salt, Err(HashError::Refused(_))));
        assert!(hasher.memory.is_blank(), "after an error");
    }

    #[test]
    fn threads_get_the_answers_to_their_own_questions() {
        let (hasher, entropy) = (hasher(), SeededEntropy::new(1));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (hasher, entropy) = (&hasher, &entropy);
                scope.spawn(move || {
                    let (mine, other) = (password(&format!("secret {thread}")), password("secret"));
                    for round in 0..20 {
                        let stored = hasher.hash(&mine, entropy).unwrap();
                        assert_eq!(hasher.verify(&mine, &stored).unwrap(), RIGHT, "{thread}, {round}");
                        assert_eq!(hasher.verify(&other, &stored).unwrap(), Verdict::Wrong, "{thread}, {round}");
                    }
                });
            }
        });
        assert!(hasher.memory.is_blank());
    }
}
