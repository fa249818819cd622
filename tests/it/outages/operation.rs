//! What functions are asked to do: each operation with every call that it makes. One that is missing here, or makes
//! another call, fails the suite.

use std::time::Duration;

use auth_core::session::EndCause;
use serde_json::Value;

use crate::grants;
use crate::outages::event::{by_caller, grant, introspection, login, logout, refresh, revocation, with_token};
use crate::outages::world::World;

/// Old enough for whatever waits for age.
const HOUR: Duration = Duration::from_hours(1);

/// A request to a function.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// The resource whose binary answers.
    pub(crate) function: &'static str,
    pub(crate) calls: &'static [OneCall],
    pub(crate) setting: Setting,
    /// The user's session: the generation of its newest token, and its age.
    pub(crate) newest: (u8, Duration),
    pub(crate) event: fn(&World) -> Value,
    pub(crate) answer: Expected,
    pub(crate) afterwards: Afterwards,
}

/// What else the operation finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Usual,
    /// Failures to sign in, days ago.
    OldFailures,
    /// A password hash of other parameters.
    OutdatedHash,
    /// A limit of sessions, which the user has reached.
    Limit,
}

/// A call, by its place among those of its name.
pub(crate) struct OneCall {
    pub(crate) operation: &'static str,
    pub(crate) nth: usize,
    /// Whether the request is a fault without it.
    pub(crate) is_needed: bool,
}

/// The answer without a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// 200 with tokens.
    Tokens,
    /// 200 with an access token alone.
    AccessToken,
    /// 200 with the user's sessions.
    Sessions,
    /// 204.
    NoContent,
    /// 400 `invalid_grant`.
    Refused,
    /// 200, and nothing else.
    Done,
    /// 200 with what is known of a token that is good.
    Active,
}

/// What must hold when the fault is gone and the operation was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Afterwards {
    /// The session goes on with the token that the client has.
    GoesOn,
    /// As before, and failures to sign in are forgotten.
    SignedIn,
    /// The user's session has ended by this, and none of its tokens is good.
    Over(EndCause),
    /// None of the user's tokens is good, whatever the session's item says.
    Out,
    /// The user signs in.
    CanSignIn,
    /// The access token was revoked, and the session goes on.
    TokenRevoked,
}

const fn needed(operation: &'static str, nth: usize) -> OneCall {
    OneCall { operation, nth, is_needed: true }
}

const fn spared(operation: &'static str, nth: usize) -> OneCall {
    OneCall { operation, nth, is_needed: false }
}

pub(crate) const OPERATIONS: [Operation; 22] = [
    Operation {
        name: "login",
        function: "Login",
        calls: &[
            needed("UpdateItem", 1),
            needed("GetItem", 1),
            needed("PutItem", 1),
            // Takes the attempt back.
            spared("UpdateItem", 2),
        ],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| login(world.user.login_name.as_str(), &world.password),
        answer: Expected::Tokens,
        afterwards: Afterwards::SignedIn,
    },
    Operation {
        name: "login: old failures",
        function: "Login",
        calls: &[
            needed("UpdateItem", 1),
            needed("UpdateItem", 2),
            needed("GetItem", 1),
            needed("PutItem", 1),
            spared("UpdateItem", 3),
        ],
        setting: Setting::OldFailures,
        newest: (0, HOUR),
        event: |world| login(world.user.login_name.as_str(), &world.password),
        answer: Expected::Tokens,
        afterwards: Afterwards::SignedIn,
    },
    Operation {
        name: "login: outdated hash",
        function: "Login",
        calls: &[
            needed("UpdateItem", 1),
            needed("GetItem", 1),
            needed("PutItem", 1),
            // Side by side: the attempt taken back, and the new hash.
            spared("UpdateItem", 2),
            spared("UpdateItem", 3),
        ],
        setting: Setting::OutdatedHash,
        newest: (0, HOUR),
        event: |world| login(world.user.login_name.as_str(), &world.password),
        answer: Expected::Tokens,
        afterwards: Afterwards::SignedIn,
    },
    Operation {
        name: "login: at the limit",
        function: "Login",
        calls: &[
            needed("UpdateItem", 1),
            needed("GetItem", 1),
            needed("PutItem", 1),
            spared("UpdateItem", 2),
            // Makes room.
            spared("Query", 1),
            spared("TransactWriteItems", 1),
        ],
        setting: Setting::Limit,
        newest: (0, HOUR),
        event: |world| login(world.user.login_name.as_str(), &world.password),
        answer: Expected::Tokens,
        afterwards: Afterwards::SignedIn,
    },
    Operation {
        name: "login: wrong password",
        function: "Login",
        calls: &[needed("UpdateItem", 1), needed("GetItem", 1)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| login(world.user.login_name.as_str(), "another"),
        answer: Expected::Refused,
        afterwards: Afterwards::CanSignIn,
    },
    Operation {
        name: "login: unknown name",
        function: "Login",
        calls: &[needed("UpdateItem", 1), needed("UpdateItem", 2)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| login(&format!("not-{}", world.user.login_name.as_str()), &world.password),
        answer: Expected::Refused,
        afterwards: Afterwards::CanSignIn,
    },
    Operation {
        name: "refresh: rotate",
        function: "Refresh",
        calls: &[needed("UpdateItem", 1), needed("GetItem", 1)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: refresh,
        answer: Expected::Tokens,
        afterwards: Afterwards::GoesOn,
    },
    Operation {
        name: "refresh: rest",
        function: "Refresh",
        calls: &[needed("UpdateItem", 1), needed("GetItem", 1)],
        setting: Setting::Usual,
        newest: (0, Duration::ZERO),
        event: refresh,
        answer: Expected::Tokens,
        afterwards: Afterwards::GoesOn,
    },
    Operation {
        name: "refresh: repeat",
        function: "Refresh",
        calls: &[needed("UpdateItem", 1), needed("GetItem", 1)],
        setting: Setting::Usual,
        newest: (1, Duration::ZERO),
        event: refresh,
        answer: Expected::Tokens,
        afterwards: Afterwards::GoesOn,
    },
    Operation {
        name: "refresh: fork",
        function: "Refresh",
        calls: &[needed("UpdateItem", 1), needed("GetItem", 1), needed("UpdateItem", 2)],
        setting: Setting::Usual,
        newest: (1, HOUR),
        event: refresh,
        answer: Expected::Tokens,
        afterwards: Afterwards::GoesOn,
    },
    Operation {
        name: "refresh: replay",
        function: "Refresh",
        calls: &[needed("UpdateItem", 1), needed("GetItem", 1), needed("TransactWriteItems", 1)],
        setting: Setting::Usual,
        newest: (2, HOUR),
        event: refresh,
        answer: Expected::Refused,
        afterwards: Afterwards::Over(EndCause::Replay),
    },
    Operation {
        name: "logout",
        function: "Revoke",
        calls: &[needed("TransactWriteItems", 1)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| with_token(include_str!("../../../events/revoke.json"), world),
        answer: Expected::NoContent,
        afterwards: Afterwards::Over(EndCause::Logout),
    },
    Operation {
        name: "logout: all",
        function: "Revoke",
        // The user, the session, then both and the login item in one.
        calls: &[needed("GetItem", 1), needed("GetItem", 2), needed("TransactWriteItems", 1)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| logout(world, "all"),
        answer: Expected::NoContent,
        afterwards: Afterwards::Out,
    },
    Operation {
        name: "logout: others",
        function: "Revoke",
        calls: &[needed("GetItem", 1), needed("GetItem", 2), needed("TransactWriteItems", 1)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| logout(world, "others"),
        answer: Expected::NoContent,
        afterwards: Afterwards::GoesOn,
    },
    Operation {
        name: "revoke: refresh token",
        function: "Revoke",
        calls: &[needed("TransactWriteItems", 1)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| revocation(&world.presented),
        answer: Expected::Done,
        afterwards: Afterwards::Over(EndCause::Logout),
    },
    Operation {
        name: "revoke: access token",
        function: "Revoke",
        calls: &[needed("TransactWriteItems", 1)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| revocation(&world.access.0),
        answer: Expected::Done,
        afterwards: Afterwards::TokenRevoked,
    },
    Operation {
        name: "client credentials",
        function: "Refresh",
        calls: &[needed("GetItem", 1)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| grant(world, "grant_type=client_credentials"),
        answer: Expected::AccessToken,
        afterwards: Afterwards::GoesOn,
    },
    Operation {
        name: "token exchange",
        function: "Refresh",
        // The client; side by side the user and both marks; the session. Then the client's session under it.
        calls: &[
            needed("GetItem", 1),
            needed("GetItem", 2),
            needed("GetItem", 3),
            needed("GetItem", 4),
            needed("GetItem", 5),
            needed("UpdateItem", 1),
        ],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| grant(world, &grants::exchange(&world.access.0)),
        answer: Expected::AccessToken,
        afterwards: Afterwards::GoesOn,
    },
    Operation {
        name: "introspect: refresh",
        function: "Introspect",
        // The client, the user, the session.
        calls: &[needed("GetItem", 1), needed("GetItem", 2), needed("GetItem", 3)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| introspection(world, &world.presented),
        answer: Expected::Active,
        afterwards: Afterwards::GoesOn,
    },
    Operation {
        name: "introspect: access",
        function: "Introspect",
        // And the marks of a token that was revoked by itself, or with all of its client.
        calls: &[
            needed("GetItem", 1),
            needed("GetItem", 2),
            needed("GetItem", 3),
            needed("GetItem", 4),
            needed("GetItem", 5),
        ],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| introspection(world, &world.access.0),
        answer: Expected::Active,
        afterwards: Afterwards::GoesOn,
    },
    Operation {
        name: "list sessions",
        function: "Sessions",
        calls: &[needed("GetItem", 1), needed("Query", 1)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| by_caller(include_str!("../../../events/sessions-list.json"), world),
        answer: Expected::Sessions,
        afterwards: Afterwards::GoesOn,
    },
    Operation {
        name: "end a session",
        function: "Sessions",
        calls: &[needed("TransactWriteItems", 1)],
        setting: Setting::Usual,
        newest: (0, HOUR),
        event: |world| by_caller(include_str!("../../../events/sessions-end.json"), world),
        answer: Expected::NoContent,
        afterwards: Afterwards::Over(EndCause::Revoked),
    },
];
