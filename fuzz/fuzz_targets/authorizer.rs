//! Events as no gateway sends them: without the good token nobody is let in.
#![no_main]

use std::sync::LazyLock;

use authorizer::App;
use fuzz::{GOOD, answer};
use libfuzzer_sys::fuzz_target;

static APP: LazyLock<App> = LazyLock::new(fuzz::authorizer);

fuzz_target!(|json: &str| {
    let json = json.replace("$TOKEN", &GOOD);
    let Ok(event) = serde_json::from_str(&json) else { return };
    let is_answered = answer(&APP, &event).is_some();
    assert!(!is_answered || json.contains(GOOD.as_str()), "let in");
});
