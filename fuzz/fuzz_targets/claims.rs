//! Whatever our own key has signed: what is believed of it is within its bounds.
#![no_main]

use auth_core::jwt::{LEEWAY, MAX_ID_LENGTH};
use fuzz::{NOW, signed, verifier};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|claims: &[u8]| {
    let Ok(claims) = verifier().verify(&signed(claims), NOW) else { return };
    assert!(NOW < claims.exp + LEEWAY && claims.iat <= NOW + LEEWAY, "not of this time");
    let ids = [claims.sub.as_str(), &claims.jti, &claims.client_id];
    for id in ids.into_iter().chain(claims.sid()) {
        assert!((1..=MAX_ID_LENGTH).contains(&id.len()), "{id}");
    }
    assert!(claims.session.is_some() || claims.sub == claims.client_id, "nobody's token");
});
