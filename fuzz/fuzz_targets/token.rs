//! No text but the good token is believed: no other spelling of it, either.
#![no_main]

use fuzz::{GOOD, NOW, verifier};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(verifier().verify(text, NOW).is_err() || text == *GOOD, "believed");
});
