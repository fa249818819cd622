use std::time::Duration;

use auth_core::client::{Grants, SecretDigest};
use auth_core::config::Variables;
use auth_core::id::TokenId;
use auth_core::issuer::Issuer;
use auth_core::jwt::Signer;
use auth_core::login::LoginName;
use auth_core::policy::SessionPolicy;
use auth_core::refresh_token::{Nonce, NotOurs, PREFIX, RefreshKeys};
use auth_core::scope::{Roles, Scope};
use auth_core::session::{Child, End};
use auth_core::user::Status;
use auth_dynamodb::verifiers::Verifiers;
use auth_keys::refresh::HeldRefreshKeys;
use serde_json::json;

use super::*;
use crate::config::Config;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);
const VER: u64 = 7;

/// What makes tokens, and what recognises them.
fn parts() -> (Issuer, Signer, Config) {
    let given = |name: &str| {
        let key = "A".repeat(43); // 32 bytes
        match name {
            "ISSUER" => Some("https://auth.example".to_owned()),
            "AUDIENCE" => Some("api".to_owned()),
            "SIGNING_ALGORITHM" => Some("HS256".to_owned()),
            "SIGNING_KEY" => Some(key),
            "REFRESH_KEYS" => Some(format!("1:{key}")),
            _ => None,
        }
    };
    let jwks = json!({"keys": [Variables::new(&given).signing_key().unwrap().jwk()]}).to_string();
    let look_up = |name: &str| if name == "JWKS" { Some(jwks.clone()) } else { given(name) };
    let variables = Variables::new(&look_up);
    let signer = Signer::new(variables.signing_key().unwrap());
    (variables.token_issuer().unwrap(), signer, Config::from_variables(&variables).unwrap())
}

fn refresh_keys(config: &Config) -> &RefreshKeys {
    let HeldRefreshKeys::Fixed(keys) = &config.refresh_keys else { panic!("REFRESH_KEYS is set") };
    keys
}

fn recognise(token: &str, config: &Config, now: UnixTime) -> Result<Genuine, Inactive> {
    if token.starts_with(PREFIX) {
        return Genuine::of_refresh_token(refresh_keys(config).open(token));
    }
    let Verifiers::Fixed(verifier) = &config.verifier else { panic!("JWKS is set") };
    Genuine::of_access_token(verifier.verify(token, now))
}

fn of_user(recognised: Result<Genuine, Inactive>) -> UsersToken {
    match recognised {
        Ok(Genuine::OfUser(token)) => token,
        other => panic!("{other:?}"),
    }
}

fn user() -> User {
    User {
        id: UserId::from_bytes([1; 16]),
        login_name: LoginName::parse("alice").unwrap(),
        status: Status::Active,
        ver: VER,
        floor: 0,
        roles: Roles::parse("clerk").unwrap(),
        scope: Scope::parse("a b").unwrap(),
    }
}

fn child(generation: u8, made_at: UnixTime) -> Child {
    Child { generation: generation.into(), nonce: Nonce::from_bytes([generation; 16]), made_at }
}

/// Token 4 was used; 5 and 6 are its children, 6 just now; the session idles out in an hour.
fn session() -> Session {
    let (id, began) = (SessionId::from_bytes([2; 16]), NOW.before(HOUR));
    Session {
        client_id: "web".to_owned(),
        scope: Scope::parse("b c").unwrap(),
        ver: VER,
        previous: Some(Nonce::from_bytes([4; 16])),
        newest: child(6, NOW),
        earlier: vec![child(5, began)],
        idle_expires_at: NOW + HOUR,
        expires_at: NOW + 2 * HOUR,
        ..Session::begin(user().id, id, Nonce::from_bytes([0; 16]), &SessionPolicy::default(), began)
    }
}

fn ended(cause: EndCause) -> Session {
    Session { ended: Some(End { cause, at: NOW }), ..session() }
}

fn standing(session: Session, user: User) -> Standing {
    Standing { session: Some(session), parent: None, user: Some(user), revoked: false }
}

/// The state of the store, whatever the kind of token, and what comes of it at an instant after [`NOW`].
fn common() -> Vec<(&'static str, Standing, Duration, Option<Inactive>)> {
    let brief = Session { idle_expires_at: NOW + SECOND, ..session() };
    let briefer = Session { expires_at: NOW + SECOND, ..session() };
    let disabled = User { status: Status::Disabled, ..user() };
    vec![
        ("all is well", standing(session(), user()), SECOND, None),
        ("revoked", Standing { revoked: true, ..standing(session(), user()) }, SECOND, Some(Inactive::Revoked)),
        ("no session", Standing { session: None, ..standing(session(), user()) }, SECOND, Some(Inactive::NoSession)),
        ("no user", Standing { user: None, ..standing(session(), user()) }, SECOND, Some(Inactive::NoUser)),
        ("signed out", standing(ended(EndCause::Logout), user()), SECOND, Some(Inactive::Ended(EndCause::Logout))),
        ("replayed", standing(ended(EndCause::Replay), user()), SECOND, Some(Inactive::Ended(EndCause::Replay))),
        ("the last instant of its idle time", standing(brief.clone(), user()), SECOND - MILLI, None),
        ("idle expiry", standing(brief, user()), SECOND, Some(Inactive::Expired)),
        ("the last instant of all", standing(briefer.clone(), user()), SECOND - MILLI, None),
        ("absolute expiry", standing(briefer, user()), SECOND, Some(Inactive::Expired)),
        ("disabled", standing(session(), disabled), SECOND, Some(Inactive::Denied(Denial::Disabled))),
        ("at the floor", standing(session(), User { floor: VER, ..user() }), SECOND, None),
        (
            "below the floor",
            standing(session(), User { floor: VER + 1, ..user() }),
            SECOND,
            Some(Inactive::Denied(Denial::BelowFloor)),
        ),
    ]
}

#[test]
fn an_access_token_is_as_good_as_its_session_and_its_user() {
    let (issuer, signer, config) = parts();
    let minted =
        issuer.mint(&signer, &user(), &session(), &session().scope, TokenId::from_bytes([3; 16]), NOW).unwrap();
    let mut cases = common();
    let changed = User { ver: VER + 1, ..user() };
    cases.push(("of before a change of roles", standing(session(), changed), SECOND, Some(Inactive::Outdated)));
    let restored = User { ver: VER - 1, ..user() };
    cases.push(("of before the table was restored", standing(session(), restored), SECOND, None));
    for (name, standing, after, expected) in cases {
        let token = of_user(recognise(&minted.text, &config, NOW + after));
        assert_eq!((token.user_id, token.session_id), (user().id, session().id));
        let judged = token.judge(standing, NOW + after);
        assert_eq!(judged.as_ref().err(), expected.as_ref(), "{name}");
        let is_as_minted =
            |active: &Active| matches!(active, Active::Access(claims) if claims.scope == session().scope);
        assert!(judged.as_ref().map_or(true, is_as_minted), "{name}: {judged:?}");
    }
}

#[test]
fn a_delegated_token_is_as_good_as_both_sessions() {
    let (issuer, signer, config) = parts();
    let above = Session { id: SessionId::from_bytes([9; 16]), ..session() };
    let own = Session { parent: Some(above.id), client_id: "agent".to_owned(), ..session() };
    let minted = issuer.mint(&signer, &user(), &own, &own.scope, TokenId::from_bytes([3; 16]), NOW).unwrap();
    let both = |own: Session, parent: Option<Session>| Standing { parent, ..standing(own, user()) };
    let cases = [
        ("both live", both(own.clone(), Some(above.clone())), None),
        (
            "its own has ended",
            both(Session { parent: own.parent, ..ended(EndCause::Revoked) }, Some(above.clone())),
            Some(Inactive::Ended(EndCause::Revoked)),
        ),
        ("the one above has ended", both(own.clone(), Some(ended(EndCause::Logout))), Some(Inactive::ParentOver)),
        (
            "the one above has expired",
            both(own.clone(), Some(Session { idle_expires_at: NOW, ..above.clone() })),
            Some(Inactive::ParentOver),
        ),
        ("there is none above", both(own.clone(), None), Some(Inactive::ParentOver)),
        (
            "the one above is below the floor",
            Standing {
                parent: Some(Session { ver: VER - 1, ..above }),
                ..standing(own, User { floor: VER, ..user() })
            },
            Some(Inactive::Denied(Denial::BelowFloor)),
        ),
    ];
    for (name, standing, expected) in cases {
        let token = of_user(recognise(&minted.text, &config, NOW));
        assert_eq!(token.judge(standing, NOW).err(), expected, "{name}");
    }
}

#[test]
fn a_clients_own_token_is_as_good_as_the_client() {
    let (issuer, signer, config) = parts();
    let (id, digest) = (ClientId::parse("job").unwrap(), SecretDigest::from_bytes([0; 32]));
    let client = Client { grants: Grants::parse("client_credentials").unwrap(), ..Client::new(id, digest, NOW) };
    let minted = issuer.mint_for_client(&signer, &client, &client.scope, TokenId::from_bytes([3; 16]), NOW).unwrap();
    let cases = [
        ("there", Some(client.clone()), false, None),
        ("gone", None, false, Some(Inactive::NoClient)),
        ("may no more", Some(Client { grants: Grants::default(), ..client.clone() }), false, Some(Inactive::NoClient)),
        ("revoked", Some(client), true, Some(Inactive::Revoked)),
    ];
    for (name, client, revoked, expected) in cases {
        let Ok(Genuine::OfClient(id, claims)) = recognise(&minted.text, &config, NOW) else { panic!("{name}") };
        assert_eq!(id.as_str(), "job");
        assert_eq!(judge_own(claims, client, revoked).err(), expected, "{name}");
    }
}

#[test]
fn a_refresh_token_is_as_good_as_its_next_refresh() {
    let (_, _, config) = parts();
    let seal = |generation: u8| {
        let nonce = Nonce::from_bytes([generation; 16]);
        refresh_keys(&config).seal(user().id, session().id, generation.into(), &nonce)
    };
    let judge = |generation: u8, standing: Standing, after: Duration| {
        let token = of_user(recognise(&seal(generation), &config, NOW + after));
        assert_eq!((token.user_id, token.session_id), (user().id, session().id));
        token.judge(standing, NOW + after)
    };
    let changed = User { ver: VER + 1, ..user() };
    let mut cases = common();
    cases.push(("of before a change of roles", standing(session(), changed), SECOND, None));
    for (name, standing, after, expected) in cases {
        let judged = judge(6, standing, after);
        assert_eq!(judged.as_ref().err(), expected.as_ref(), "{name}");
        if let Ok(active) = judged {
            let Active::Refresh { scope, .. } = active else { panic!("{name}: {active:?}") };
            assert_eq!(scope.as_str(), "b", "{name}: what the session was given and the user has");
        }
    }
    let generations = [
        ("rest", 6, SECOND, None),
        ("rotate", 6, 90 * SECOND, None),
        ("rotate, an earlier child", 5, SECOND, None),
        ("repeat", 4, SECOND, None),
        ("fork", 4, 11 * SECOND, None),
        ("adopt", 7, SECOND, None),
        ("replayed", 3, SECOND, Some(Inactive::Replayed { behind: 3 })),
    ];
    for (name, generation, after, expected) in generations {
        let judged = judge(generation, standing(session(), user()), after);
        assert_eq!(judged.err(), expected, "{name}");
    }
    let of_the_dead = judge(3, standing(ended(EndCause::Logout), user()), SECOND);
    assert_eq!(of_the_dead.err(), Some(Inactive::Ended(EndCause::Logout)), "no alarm");
}

/// None of these is worth a call.
#[test]
fn what_we_did_not_make_is_recognised_as_nothing() {
    let (issuer, signer, config) = parts();
    let minted =
        issuer.mint(&signer, &user(), &session(), &session().scope, TokenId::from_bytes([3; 16]), NOW).unwrap().text;
    let sealed = refresh_keys(&config).seal(user().id, session().id, 6, &Nonce::from_bytes([6; 16]));
    let another = RefreshKeys::parse(&format!("2:{}", "A".repeat(43))).unwrap();
    let of_another_key = another.seal(user().id, session().id, 6, &Nonce::from_bytes([6; 16])).to_string();
    let other = Issuer { iss: "https://other.example".to_owned(), ..parts().0 };
    let foreign =
        other.mint(&signer, &user(), &session(), &session().scope, TokenId::from_bytes([3; 16]), NOW).unwrap().text;
    let other = Issuer { aud: "other".to_owned(), ..parts().0 };
    let for_others =
        other.mint(&signer, &user(), &session(), &session().scope, TokenId::from_bytes([3; 16]), NOW).unwrap().text;
    let (exp, leeway) = (Duration::from_mins(10), auth_core::jwt::LEEWAY);
    let cases = [
        ("forged", format!("{}A", *sealed), SECOND, Inactive::NotOurs(NotOurs::Forged)),
        ("the prefix", PREFIX.to_owned(), SECOND, Inactive::NotOurs(NotOurs::Forged)),
        ("of a key that is not known", of_another_key, SECOND, Inactive::NotOurs(NotOurs::UnknownKey)),
        ("no token", "token".to_owned(), SECOND, Inactive::Rejected(Rejection::NotCompact)),
        ("too long", "a".repeat(9000), SECOND, Inactive::Rejected(Rejection::TooLong)),
        ("another signature", minted.replacen('.', ".e", 1), SECOND, Inactive::Rejected(Rejection::Signature)),
        ("another issuer", foreign, SECOND, Inactive::Rejected(Rejection::WrongIssuer)),
        ("another audience", for_others, SECOND, Inactive::Rejected(Rejection::WrongAudience)),
        ("expired", minted.clone(), exp + leeway, Inactive::Rejected(Rejection::Expired)),
    ];
    for (name, token, after, expected) in cases {
        assert_eq!(recognise(&token, &config, NOW + after).err(), Some(expected), "{name}");
    }
    assert!(recognise(&minted, &config, (NOW + exp + leeway).before(MILLI)).is_ok());
}
