//! A refresh token has one spelling, and only whoever has the server key can make it.
#![no_main]

use std::sync::LazyLock;

use auth_core::refresh_token::RefreshKeys;
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<RefreshKeys> =
    LazyLock::new(|| RefreshKeys::parse("7:ZnV6emluZy1mdXp6aW5nLWZ1enppbmctZnV6emluZy0").expect("a server key"));

fuzz_target!(|text: &str| {
    let Ok(token) = KEYS.open(text) else { return };
    let sealed = KEYS.seal(token.user_id(), token.session_id(), token.generation(), token.nonce());
    assert_eq!(text, sealed.as_str());
});
