//! Sets of keys as a hostile issuer would send them: what is taken of them believes nobody who has signed nothing.
#![no_main]

use std::sync::Arc;

use auth_core::foreign::ForeignVerifier;
use auth_core::jwt::{Rejection, Verifier};
use auth_core::key::{ALGORITHMS, KeySet};
use fuzz::{NOW, TERMS, forged};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|json: &str| {
    if let Ok(keys) = KeySet::parse(json) {
        let names: Vec<_> = keys.into_keys().map(|key| (key.algorithm(), key.kid().to_owned())).collect();
        assert!(names.iter().all(|(algorithm, kid)| ALGORITHMS.contains(algorithm) && !kid.is_empty()));
        let distinct = names.iter().map(|(_, kid)| kid).collect::<std::collections::HashSet<_>>();
        assert_eq!(distinct.len(), names.len(), "a name twice");
        let keys = KeySet::parse(json).expect("the same");
        let verifier = Verifier::new("https://auth.example".to_owned(), "api".to_owned(), keys);
        for (algorithm, kid) in names.iter().take(2) {
            assert!(forged(&format!("{algorithm:?}"), kid).all(|token| verifier.verify(&token, NOW).is_err()));
        }
    }
    let Ok(verifier) = ForeignVerifier::new(Arc::clone(&TERMS), json.as_bytes()) else { return };
    let set: Value = serde_json::from_str(json).expect("JSON");
    for kid in set["keys"].as_array().expect("a list").iter().filter_map(|key| key["kid"].as_str()).take(2) {
        for token in ["RS256", "ES256", "EdDSA"].into_iter().flat_map(|alg| forged(alg, kid)) {
            let believed = verifier.verify(&token, NOW);
            // The signature is checked before the claims, which are those of a token of ours.
            assert!(matches!(
                believed,
                Err(Rejection::Signature | Rejection::WrongAlgorithm | Rejection::UnknownKey | Rejection::TooLong)
            ));
        }
    }
});
