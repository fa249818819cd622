//! A client that acts for a user: which session it has for that, and how far its token reaches (RFC 8693).

use aws_lc_rs::digest;

use crate::client::{Client, ClientId};
use crate::id::SessionId;
use crate::policy::SessionPolicy;
use crate::refresh_token::Nonce;
use crate::scope::Scope;
use crate::session::Session;
use crate::time::UnixTime;
use crate::user::User;

/// More was asked for than subject, user and client have together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a wider scope than the subject token's, the user's or the client's")]
pub struct TooWide;

/// The scope of an exchanged token: what was asked for; without that, all that the subject token, the user and the client
/// have in common.
///
/// # Errors
///
/// [`TooWide`] when more was asked for than that.
pub fn scope(asked: Option<&Scope>, subject: &Scope, user: &User, client: &Client) -> Result<Scope, TooWide> {
    let most = subject.intersection(&user.scope).intersection(&client.scope);
    match asked {
        None => Ok(most),
        Some(asked) if asked.is_within(&most) => Ok(asked.clone()),
        Some(_) => Err(TooWide),
    }
}

/// The one session that a client has under a session of a user's.
///
/// It follows from both, so that exchanging again goes on with it instead of beginning another one: a UUID of version 8
/// (RFC 9562 §5.8).
pub fn session_id(parent: SessionId, client: &ClientId) -> SessionId {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [b"countersign delegation".as_slice(), parent.as_bytes(), client.as_str().as_bytes()] {
        context.update(part);
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(context.finish().as_ref()).for_each(|(byte, digest)| *byte = *digest);
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = (*version & 0x0f) | 0x80;
    *variant = (*variant & 0x3f) | 0x80;
    SessionId::from_bytes(bytes)
}

/// That session as an exchange at `now` leaves it: it idles out as others do, never outlives the one above it, and falls
/// with it below a new floor. `nonce` is that of a token which nobody is ever given.
pub fn session(
    parent: &Session,
    client: &Client,
    scope: Scope,
    nonce: Nonce,
    policy: &SessionPolicy,
    now: UnixTime,
) -> Session {
    Session {
        client_id: client.id.to_string(),
        scope,
        ver: parent.ver,
        idle_expires_at: (now + policy.idle()).min(parent.expires_at),
        expires_at: parent.expires_at,
        parent: Some(parent.id),
        ..Session::begin(parent.user_id, session_id(parent.id, &client.id), nonce, policy, now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::SecretDigest;
    use crate::id::UserId;
    use crate::login::LoginName;
    use crate::scope::Roles;
    use crate::user::Status;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
    const DAY: Duration = Duration::from_hours(24);

    fn client(id: &str, scope: &str) -> Client {
        let digest = SecretDigest::from_bytes([0; 32]);
        Client { scope: Scope::parse(scope).unwrap(), ..Client::new(ClientId::parse(id).unwrap(), digest, NOW) }
    }

    fn user(scope: &str) -> User {
        User {
            id: UserId::from_bytes([1; 16]),
            login_name: LoginName::parse("alice").unwrap(),
            status: Status::Active,
            ver: 1,
            floor: 0,
            roles: Roles::default(),
            scope: Scope::parse(scope).unwrap(),
        }
    }

    #[test]
    fn a_scope_only_narrows() {
        let cases = [
            ("all that is common", None, "a b c", "b c d", "c b x", Some("b c")),
            ("nothing is common", None, "a", "a b", "b", Some("")),
            ("less is asked for", Some("b"), "a b c", "a b c", "a b c", Some("b")),
            ("all of it", Some("c b"), "a b c", "a b c", "b c", Some("c b")),
            ("nothing at all", Some(""), "a", "a", "a", Some("")),
            ("more than the token has", Some("b"), "a", "a b", "a b", None),
            ("more than the user has by now", Some("b"), "a b", "a", "a b", None),
            ("more than the client may", Some("a b"), "a b", "a b", "a", None),
            ("what nobody has", Some("admin"), "a", "a", "a", None),
        ];
        for (name, asked, subject, of_user, of_client, expected) in cases {
            let asked = asked.map(|asked| Scope::parse(asked).unwrap());
            let subject = Scope::parse(subject).unwrap();
            let actual = scope(asked.as_ref(), &subject, &user(of_user), &client("agent", of_client));
            assert_eq!(actual.ok().as_ref().map(Scope::as_str), expected, "{name}");
        }
    }

    #[test]
    fn a_client_has_one_session_under_each() {
        let [one, other] = [1, 2].map(|byte| SessionId::from_bytes([byte; 16]));
        let [agent, another] = ["agent", "agent2"].map(|id| ClientId::parse(id).unwrap());
        let first = session_id(one, &agent);
        assert_eq!(session_id(one, &agent), first);
        assert!(![session_id(other, &agent), session_id(one, &another), one].contains(&first));
        let text = first.to_string();
        assert_eq!(SessionId::parse(&text), Ok(first), "{text}");
        assert!(text.get(14..15) == Some("8") && text.get(19..20).is_some_and(|it| "89ab".contains(it)), "{text}");
    }

    #[test]
    fn it_does_not_outlive_the_one_above() {
        let policy = SessionPolicy::default();
        let begun = |ago: u32| {
            let nonce = Nonce::from_bytes([0; 16]);
            let (user, id) = (UserId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
            Session { ver: 7, ..Session::begin(user, id, nonce, &policy, NOW.before(ago * DAY)) }
        };
        for (ago, idle, absolute) in [(0, 30, 180), (149, 30, 31), (160, 20, 20)] {
            let parent = begun(ago);
            let own =
                session(&parent, &client("agent", "a"), Scope::default(), Nonce::from_bytes([1; 16]), &policy, NOW);
            assert_eq!((own.idle_expires_at, own.expires_at), (NOW + idle * DAY, NOW + absolute * DAY), "{ago}");
            assert_eq!((own.parent, own.ver, own.client_id.as_str()), (Some(parent.id), 7, "agent"));
        }
    }
}
