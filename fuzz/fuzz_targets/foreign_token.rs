//! Tokens in the name of another issuer: none but the good one is believed, and whatever its key has signed means no more than
//! the terms say.
#![no_main]

use std::time::Duration;

use auth_core::foreign::unverified_issuer;
use auth_core::jwt::{LEEWAY, MAX_ID_LENGTH};
use fuzz::{FOREIGN_GOOD, NOW, foreign_verifier, signed_by_another};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let is_good = text == *FOREIGN_GOOD;
    assert_eq!(foreign_verifier().verify(text, NOW).is_ok(), is_good, "believed");
    let token = signed_by_another(text.as_bytes());
    let Ok(claims) = foreign_verifier().verify(&token, NOW) else { return };
    assert_eq!(unverified_issuer(&token).as_deref(), Ok("https://idp.example"));
    let longest = NOW + LEEWAY + Duration::from_hours(24);
    assert!(NOW < claims.exp + LEEWAY && claims.exp <= longest, "not of this time");
    for id in [Some(&claims.sub), claims.client_id.as_ref(), claims.jti.as_ref()].into_iter().flatten() {
        assert!((1..=MAX_ID_LENGTH).contains(&id.len()) && !id.contains(char::is_control), "{id:?}");
    }
    assert!(["", "notes:write"].contains(&claims.scope.as_str()) && ["", "admin"].contains(&claims.roles.as_str()));
});
