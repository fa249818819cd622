//! What stands in the store as a hash: computed within bounds, or not at all; and no made-up one fits a password.
#![no_main]

use std::sync::LazyLock;

use auth_password::hasher::{Hasher, Parameters, Verdict};
use auth_password::password::Password;
use libfuzzer_sys::fuzz_target;

static HASHER: LazyLock<Hasher> = LazyLock::new(|| Hasher::new(Parameters::new(8, 1, 1).expect("the least")));

fuzz_target!(|stored: &str| {
    let password = Password::presented("correct horse").expect("a password");
    if let Ok(verdict) = HASHER.verify(&password, stored) {
        assert!(verdict == Verdict::Wrong || stored == include_str!("../seeds/password_hash/right"), "{stored}");
    }
});
