//! Minting access tokens.

use std::time::Duration;

use crate::claims::{Actor, Array, MintedClaims};
use crate::client::Client;
use crate::id::TokenId;
use crate::jwt::{Draft, MintError, Signer, TokenHeader};
use crate::scope::Scope;
use crate::session::Session;
use crate::time::UnixTime;
use crate::user::User;

/// Mints access tokens: who issues them, for whom, and how long they live.
#[derive(Debug)]
pub struct Issuer {
    /// The claim `iss`.
    pub iss: String,
    /// The claim `aud`.
    pub aud: String,
    /// The life of an access token, unless its session ends before.
    pub ttl: Duration,
}

/// A minted access token.
pub struct AccessToken {
    /// The compact JWS.
    pub text: String,
    /// What is left of its life: the member `expires_in` (RFC 6749 §5.1).
    pub expires_in: Duration,
}

impl Issuer {
    /// The same, for tokens that live no longer than `life`, if one is named.
    ///
    /// They never live longer than others: what revokes them is remembered for as long as that.
    #[must_use]
    pub fn for_life(&self, life: Option<Duration>) -> Self {
        let ttl = life.map_or(self.ttl, |life| life.min(self.ttl));
        Self { iss: self.iss.clone(), aud: self.aud.clone(), ttl }
    }

    /// Mints an access token for `user` in `session`; it does not outlive the session. In a session that a client has under
    /// another one, the token is the client's, who acts for the user (RFC 8693 §4.1), and has none of the user's roles.
    ///
    /// # Errors
    ///
    /// [`MintError`]; the request is then a fault of ours.
    pub fn mint(
        &self,
        signer: &Signer,
        user: &User,
        session: &Session,
        scope: &Scope,
        jti: TokenId,
        now: UnixTime,
    ) -> Result<AccessToken, MintError> {
        let (draft, expires_in) = self.draft(signer.header(), user, session, scope, jti, now)?;
        Ok(AccessToken { text: signer.sign(draft)?, expires_in })
    }

    /// The same token without its signature, which may come from elsewhere; and what is left of its life.
    ///
    /// # Errors
    ///
    /// [`MintError`].
    pub fn draft(
        &self,
        header: &TokenHeader,
        user: &User,
        session: &Session,
        scope: &Scope,
        jti: TokenId,
        now: UnixTime,
    ) -> Result<(Draft, Duration), MintError> {
        let exp = (now + self.ttl).min(session.expires_at).seconds();
        let draft = header.draft(&MintedClaims {
            iss: &self.iss,
            sub: user.id,
            aud: &self.aud,
            exp,
            iat: now.seconds(),
            jti,
            client_id: &session.client_id,
            scope: scope.as_str(),
            sid: Some(session.id),
            roles: session.parent.is_none().then_some(Array(&user.roles)),
            ver: Some(user.ver),
            act: session.parent.map(|_| Actor { sub: &session.client_id }),
            parent_sid: session.parent,
        })?;
        Ok((draft, Duration::from_secs(exp.saturating_sub(now.seconds()))))
    }

    /// Mints a client's own access token (RFC 6749 §4.4, RFC 9068 §2.2): of no user, no session and no roles.
    ///
    /// # Errors
    ///
    /// [`MintError`].
    pub fn mint_for_client(
        &self,
        signer: &Signer,
        client: &Client,
        scope: &Scope,
        jti: TokenId,
        now: UnixTime,
    ) -> Result<AccessToken, MintError> {
        let (draft, expires_in) = self.draft_for_client(signer.header(), client, scope, jti, now)?;
        Ok(AccessToken { text: signer.sign(draft)?, expires_in })
    }

    /// The same token without its signature, and what is left of its life.
    ///
    /// # Errors
    ///
    /// [`MintError`].
    pub fn draft_for_client(
        &self,
        header: &TokenHeader,
        client: &Client,
        scope: &Scope,
        jti: TokenId,
        now: UnixTime,
    ) -> Result<(Draft, Duration), MintError> {
        let draft = header.draft(&MintedClaims {
            iss: &self.iss,
            sub: client.id.as_str(),
            aud: &self.aud,
            exp: (now + self.ttl).seconds(),
            iat: now.seconds(),
            jti,
            client_id: client.id.as_str(),
            scope: scope.as_str(),
            sid: None,
            roles: None,
            ver: None,
            act: None,
            parent_sid: None,
        })?;
        Ok((draft, self.ttl))
    }
}

#[cfg(test)]
#[expect(clippy::unchecked_time_subtraction, reason = "between constants")]
mod tests {
    use super::*;
    use crate::claims::{AccessClaims, DelegationClaims, SessionClaims};
    use crate::client::{ClientId, ClientSecret};
    use crate::entropy::OsEntropy;
    use crate::id::{SessionId, UserId};
    use crate::jwt::{LEEWAY, MAX_MINTED_LENGTH, Rejection, Verifier};
    use crate::key::ALGORITHMS;
    use crate::login::LoginName;
    use crate::policy::SessionPolicy;
    use crate::refresh_token::Nonce;
    use crate::scope::Roles;
    use crate::test_keys;
    use crate::user::Status;

    use jsonwebtoken::Algorithm;

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_999);
    const SECOND: Duration = Duration::from_secs(1);
    const TTL: Duration = Duration::from_mins(10);

    fn issuer(algorithm: Algorithm) -> (Issuer, Signer) {
        let signer = Signer::new(test_keys::signing_key(algorithm));
        let (iss, aud) = ("https://auth.example".to_owned(), "https://api.example".to_owned());
        (Issuer { iss, aud, ttl: TTL }, signer)
    }

    fn verifier((issuer, signer): &(Issuer, Signer)) -> Verifier {
        Verifier::new(issuer.iss.clone(), issuer.aud.clone(), test_keys::key_set(signer.key().jwk()))
    }

    fn user() -> User {
        let (roles, scope) = (Roles::parse("customer support").unwrap(), Scope::parse("a b c").unwrap());
        User {
            id: UserId::from_bytes([1; 16]),
            login_name: LoginName::parse("alice").unwrap(),
            status: Status::Active,
            ver: u64::MAX,
            floor: 0,
            roles,
            scope,
        }
    }

    fn session(expires_at: UnixTime) -> Session {
        let (id, nonce) = (SessionId::from_bytes([2; 16]), Nonce::from_bytes([0; 16]));
        Session {
            client_id: "web".to_owned(),
            scope: Scope::parse("a b").unwrap(),
            idle_expires_at: expires_at,
            expires_at,
            ..Session::begin(UserId::from_bytes([1; 16]), id, nonce, &SessionPolicy::default(), NOW)
        }
    }

    fn mint((issuer, signer): &(Issuer, Signer), scope: &str, expires_at: UnixTime) -> Result<AccessToken, MintError> {
        let scope = Scope::parse(scope).unwrap();
        issuer.mint(signer, &user(), &session(expires_at), &scope, TokenId::from_bytes([3; 16]), NOW)
    }

    #[test]
    fn what_is_minted_verifies_and_comes_back() {
        for algorithm in ALGORITHMS {
            let issuer = issuer(algorithm);
            for scope in ["", "a", "orders:read https://api.example/x"] {
                let token = mint(&issuer, scope, NOW + 2 * TTL).unwrap();
                assert_eq!(token.expires_in, TTL, "{algorithm:?}");
                let claims = verifier(&issuer).verify(&token.text, NOW).unwrap();
                let expected = AccessClaims {
                    sub: user().id.to_string(),
                    session: Some(SessionClaims {
                        sid: SessionId::from_bytes([2; 16]).to_string(),
                        ver: user().ver,
                        delegation: None,
                    }),
                    client_id: "web".to_owned(),
                    scope: Scope::parse(scope).unwrap(),
                    roles: user().roles,
                    jti: TokenId::from_bytes([3; 16]).to_string(),
                    iat: UnixTime::from_seconds(NOW.seconds()),
                    exp: UnixTime::from_seconds(NOW.seconds()) + TTL,
                    kid: issuer.1.key().kid().to_owned(),
                };
                assert_eq!(claims, expected, "{algorithm:?}");
            }
        }
    }

    #[test]
    fn a_token_does_not_outlive_its_session() {
        let issuer = issuer(Algorithm::HS256);
        let cases = [
            ("a session that lives longer", TTL + SECOND, TTL.as_secs()),
            ("a session that ends with it", TTL, TTL.as_secs()),
            ("a session that ends a second before", TTL - SECOND, TTL.as_secs() - 1),
            ("a session that ends within the second", Duration::from_millis(1500), 2),
            ("a session that ends now", Duration::ZERO, 0),
        ];
        for (name, left, expected) in cases {
            let expires_at = NOW + left;
            let token = mint(&issuer, "", expires_at).unwrap();
            assert_eq!(token.expires_in.as_secs(), expected, "{name}");
            let claims = verifier(&issuer).verify(&token.text, NOW).unwrap();
            assert!(claims.exp <= expires_at, "{name}: {:?} and {expires_at:?}", claims.exp);
            let dead = verifier(&issuer).verify(&token.text, expires_at + LEEWAY);
            assert_eq!(dead.err(), Some(Rejection::Expired), "{name}");
        }
    }

    #[test]
    fn a_token_over_the_bound_is_not_minted() {
        for algorithm in ALGORITHMS {
            let issuer = issuer(algorithm);
            let (mut longest, mut shortest_refused) = (0, usize::MAX);
            for length in 2000..3000 {
                match mint(&issuer, &"x".repeat(length), NOW + TTL) {
                    Ok(token) => {
                        assert!(verifier(&issuer).verify(&token.text, NOW).is_ok(), "{algorithm:?}: {length}");
                        longest = longest.max(token.text.len());
                    }
                    Err(MintError::TooLong { length, claims }) => {
                        shortest_refused = shortest_refused.min(length);
                        assert!(claims.to_string().starts_with("scope ("), "{algorithm:?}: {claims}");
                    }
                    Err(MintError::Signature) => panic!("{algorithm:?}: {length}"),
                }
            }
            // Base64url has no text of length 4n + 1: one of the two may be one off.
            assert!((MAX_MINTED_LENGTH - 1..=MAX_MINTED_LENGTH).contains(&longest), "{algorithm:?}: {longest}");
            assert!((MAX_MINTED_LENGTH + 1..=MAX_MINTED_LENGTH + 2).contains(&shortest_refused), "{shortest_refused}");
        }
    }

    #[test]
    fn whoever_acts_for_a_user_gets_no_roles_and_ends_with_the_session_above() {
        let parent = SessionId::from_bytes([9; 16]);
        for algorithm in ALGORITHMS {
            let issuer = issuer(algorithm);
            let session = Session { parent: Some(parent), ..session(NOW + TTL) };
            let (scope, jti) = (Scope::parse("a").unwrap(), TokenId::from_bytes([3; 16]));
            let brief = issuer.0.for_life(Some(TTL / 2));
            let token = brief.mint(&issuer.1, &user(), &session, &scope, jti, NOW).unwrap();
            assert_eq!(token.expires_in, TTL / 2);
            let claims = verifier(&issuer).verify(&token.text, NOW).unwrap();
            let delegation = DelegationClaims { actor: "web".to_owned(), parent_sid: parent.to_string() };
            assert_eq!(claims.delegation(), Some(&delegation));
            assert_eq!((claims.sub, claims.roles), (user().id.to_string(), Roles::default()));
        }
    }

    #[test]
    fn a_clients_own_token_is_of_the_client_alone() {
        let secret = ClientSecret::random(&OsEntropy).unwrap();
        let client = Client::new(ClientId::parse("nightly.job").unwrap(), secret.digest(), NOW);
        for algorithm in ALGORITHMS {
            let issuer = issuer(algorithm);
            for (life, expected) in [(None, TTL), (Some(TTL / 2), TTL / 2), (Some(2 * TTL), TTL)] {
                let (scope, jti) = (Scope::parse("a b").unwrap(), TokenId::from_bytes([3; 16]));
                let token = issuer.0.for_life(life).mint_for_client(&issuer.1, &client, &scope, jti, NOW).unwrap();
                assert_eq!(token.expires_in, expected, "{life:?}");
                let claims = verifier(&issuer).verify(&token.text, NOW).unwrap();
                assert_eq!((claims.sub.as_str(), claims.client_id.as_str()), ("nightly.job", "nightly.job"));
                assert_eq!((claims.session, claims.roles, claims.scope), (None, Roles::default(), scope));
                assert_eq!(claims.exp.seconds(), NOW.seconds() + expected.as_secs());
            }
        }
    }

    #[test]
    fn what_is_too_big_is_named_the_biggest_first() {
        let issuer = issuer(Algorithm::ES256);
        let roles = Roles::parse(&"r".repeat(1500)).unwrap();
        let (scope, jti) = (Scope::parse(&"s".repeat(2000)).unwrap(), TokenId::from_bytes([3; 16]));
        let minted = issuer.0.mint(&issuer.1, &User { roles, ..user() }, &session(NOW + TTL), &scope, jti, NOW);
        let Err(MintError::TooLong { length, claims }) = minted else { panic!("minted") };
        assert_eq!(claims.to_string(), "scope (2002 bytes), roles (1504 bytes)");
        let text = MintError::TooLong { length, claims }.to_string();
        let expected = "the access token would have 5248 characters, more than 4096; the biggest claims: scope (2002 bytes), roles (1504 bytes)";
        assert!(text.starts_with("the access token would have 52") && text.ends_with(&expected[33..]), "{text}");
    }

    #[test]
    fn the_claims_are_those_of_rfc_9068_and_ours() {
        let token = mint(&issuer(Algorithm::EdDSA), "a", NOW + TTL).unwrap().text;
        let parts = token.split('.').map(test_keys::base64url).collect::<Vec<_>>();
        let kid = test_keys::signing_key(Algorithm::EdDSA).kid().to_owned();
        let header = format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":"{kid}"}}"#);
        let claims = concat!(
            r#"{"iss":"https://auth.example","sub":"01010101-0101-0101-0101-010101010101","aud":"https://api.example","#,
            r#""exp":1800000600,"iat":1800000000,"jti":"03030303-0303-0303-0303-030303030303","client_id":"web","#,
            r#""scope":"a","sid":"02020202-0202-0202-0202-020202020202","roles":["customer","support"],"#,
            r#""ver":18446744073709551615}"#,
        );
        assert_eq!([&parts[0][..], &parts[1][..]], [header.as_bytes(), claims.as_bytes()]);
    }
}
