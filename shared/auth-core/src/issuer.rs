//! Minting access tokens.

use std::time::Duration;

use crate::claims::MintedClaims;
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
    /// Mints an access token for `user` in `session`; it does not outlive the session.
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
            sid: session.id,
            roles: &user.roles,
            ver: user.ver,
        })?;
        Ok((draft, Duration::from_secs(exp.saturating_sub(now.seconds()))))
    }
}

#[cfg(test)]
#[expect(clippy::unchecked_time_subtraction, reason = "between constants")]
mod tests {
    use super::*;
    use crate::claims::AccessClaims;
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
                    sid: SessionId::from_bytes([2; 16]).to_string(),
                    client_id: "web".to_owned(),
                    scope: Scope::parse(scope).unwrap(),
                    roles: user().roles,
                    ver: user().ver,
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
                    Err(MintError::TooLong(length)) => shortest_refused = shortest_refused.min(length),
                    Err(MintError::Signature) => panic!("{algorithm:?}: {length}"),
                }
            }
            // Base64url has no text of length 4n + 1: one of the two may be one off.
            assert!((MAX_MINTED_LENGTH - 1..=MAX_MINTED_LENGTH).contains(&longest), "{algorithm:?}: {longest}");
            assert!((MAX_MINTED_LENGTH + 1..=MAX_MINTED_LENGTH + 2).contains(&shortest_refused), "{shortest_refused}");
        }
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
