//! One-time tokens: for a link, or for one step that has to be confirmed. The store takes each `jti` once.
//!
//! They have a type of their own, so none of them passes for an access token and no access token for one of them (RFC 8725
//! §3.11). Their audience names their purpose, so that a link to confirm an address resets no password, and so that a library which
//! looks at no type takes none of them for an access token, either (§3.9).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Draft, MintError, Rejection, Signer, TokenHeader, Verifier, check_times, is_id, read};
use crate::claims::{Audience, NumericDate};
use crate::id::TokenId;
use crate::issuer::Issuer;
use crate::policy::ACCESS_TTL_BOUNDS;
use crate::time::UnixTime;

/// The header member `typ`.
const TYPE: &str = "one-time+jwt";

/// The longest life. Keys take turns, and one that signs no more is known for not much longer.
pub const LONGEST_LIFE: Duration = ACCESS_TTL_BOUNDS.1;

/// What a token is good for: 1 to 64 lower-case letters, digits, dots, underscores and hyphens, such as `password-reset`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose(String);

/// The text can be no purpose.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a purpose: expected 1 to 64 lower-case letters and digits of ASCII, dots, underscores and hyphens")]
pub struct MalformedPurpose;

impl Purpose {
    /// Reads a purpose.
    ///
    /// # Errors
    ///
    /// [`MalformedPurpose`].
    pub fn parse(text: &str) -> Result<Self, MalformedPurpose> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let is_purpose = (1..=64).contains(&text.len()) && text.bytes().all(is_plain);
        if is_purpose { Ok(Self(text.to_owned())) } else { Err(MalformedPurpose) }
    }

    /// The claim `aud` of a token for this: that of access tokens, and this behind `#`.
    fn audience(&self, audience: &str) -> String {
        format!("{audience}#{self}")
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a verified one-time token says. Only [`Verifier::verify_one_time`] builds one; whether it was used is the store's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OneTimeClaims {
    /// Whom or what it is about, for its purpose to say.
    pub sub: String,
    /// What it is good for.
    pub purpose: Purpose,
    /// Its own identifier, which is taken once.
    pub jti: String,
    /// When it was minted.
    pub iat: UnixTime,
    /// From when on it is dead.
    pub exp: UnixTime,
}

#[derive(Serialize)]
struct MintedOneTimeClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
    iat: u64,
    jti: TokenId,
}

#[derive(Deserialize)]
struct UnverifiedOneTimeClaims<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    sub: Cow<'a, str>,
    #[serde(borrow)]
    aud: Audience<'a>,
    exp: NumericDate,
    iat: NumericDate,
    #[serde(borrow)]
    jti: Cow<'a, str>,
}

impl TokenHeader {
    /// For one-time tokens that a key of this name signs.
    pub fn one_time(algorithm: jsonwebtoken::Algorithm, kid: &str) -> Self {
        Self::of_type(TYPE, algorithm, kid)
    }
}

impl Issuer {
    /// Mints a one-time token for `sub` that lives for `life`, or for [`LONGEST_LIFE`] if that is less.
    ///
    /// # Errors
    ///
    /// [`MintError`].
    pub fn mint_one_time(
        &self,
        signer: &Signer,
        purpose: &Purpose,
        sub: &str,
        life: Duration,
        jti: TokenId,
        now: UnixTime,
    ) -> Result<String, MintError> {
        let header = TokenHeader::one_time(signer.key().algorithm(), signer.key().kid());
        signer.sign(self.draft_one_time(&header, purpose, sub, life, jti, now)?)
    }

    /// The same token without its signature, which may come from elsewhere.
    ///
    /// # Errors
    ///
    /// [`MintError`].
    pub fn draft_one_time(
        &self,
        header: &TokenHeader,
        purpose: &Purpose,
        sub: &str,
        life: Duration,
        jti: TokenId,
        now: UnixTime,
    ) -> Result<Draft, MintError> {
        header.draft(&MintedOneTimeClaims {
            iss: &self.iss,
            sub,
            aud: &purpose.audience(&self.aud),
            exp: (now + life.min(LONGEST_LIFE)).seconds(),
            iat: now.seconds(),
            jti,
        })
    }
}

impl Verifier {
    /// Believes a one-time token for this purpose, or says why not. It may have been used: whoever acts on it has the store take its
    /// `jti` first.
    ///
    /// # Errors
    ///
    /// The first [`Rejection`]; one for another purpose is for another audience.
    pub fn verify_one_time(&self, token: &str, purpose: &Purpose, now: UnixTime) -> Result<OneTimeClaims, Rejection> {
        let (_, json) = self.open(token, TYPE)?;
        let claims: UnverifiedOneTimeClaims<'_> = read(&json).ok_or(Rejection::Claims)?;
        if claims.iss != self.issuer {
            return Err(Rejection::WrongIssuer);
        }
        if !claims.aud.contains(&purpose.audience(&self.audience)) {
            return Err(Rejection::WrongAudience);
        }
        check_times(claims.exp, None, claims.iat, now)?;
        if ![&*claims.sub, &*claims.jti].into_iter().all(is_id) {
            return Err(Rejection::Claims);
        }
        Ok(OneTimeClaims {
            sub: claims.sub.into_owned(),
            purpose: purpose.clone(),
            jti: claims.jti.into_owned(),
            iat: UnixTime::from_seconds(claims.iat.0),
            exp: UnixTime::from_seconds(claims.exp.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use jsonwebtoken::Algorithm;

    use super::*;
    use crate::jwt::LEEWAY;
    use crate::key::ALGORITHMS;
    use crate::login::LoginName;
    use crate::policy::SessionPolicy;
    use crate::refresh_token::Nonce;
    use crate::scope::{Roles, Scope};
    use crate::session::Session;
    use crate::test_keys;
    use crate::user::{Status, User};

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
    const LIFE: Duration = Duration::from_mins(10);
    const JTI: TokenId = TokenId::from_bytes([3; 16]);

    struct Parts {
        issuer: Issuer,
        signer: Signer,
        verifier: Verifier,
    }

    fn parts(algorithm: Algorithm) -> Parts {
        let signer = Signer::new(test_keys::signing_key(algorithm));
        let (iss, aud) = ("https://auth.example".to_owned(), "https://api.example".to_owned());
        let verifier = Verifier::new(iss.clone(), aud.clone(), test_keys::key_set(signer.key().jwk()));
        Parts { issuer: Issuer { iss, aud, ttl: LIFE }, signer, verifier }
    }

    fn purpose(text: &str) -> Purpose {
        Purpose::parse(text).unwrap()
    }

    fn mint(parts: &Parts, life: Duration) -> String {
        parts.issuer.mint_one_time(&parts.signer, &purpose("password-reset"), "alice", life, JTI, NOW).unwrap()
    }

    #[test]
    fn purposes_are_plain_words() {
        for good in ["a", "password-reset", "step.up_2", &"x".repeat(64)] {
            assert_eq!(purpose(good).to_string(), good);
        }
        for bad in ["", "Reset", "a b", "a/b", "é", &"x".repeat(65)] {
            assert_eq!(Purpose::parse(bad), Err(MalformedPurpose), "{bad:?}");
        }
    }

    #[test]
    fn what_is_minted_verifies_for_its_purpose_and_for_no_other() {
        for algorithm in ALGORITHMS {
            let parts = parts(algorithm);
            let token = mint(&parts, LIFE);
            let claims = parts.verifier.verify_one_time(&token, &purpose("password-reset"), NOW).unwrap();
            let expected = OneTimeClaims {
                sub: "alice".to_owned(),
                purpose: purpose("password-reset"),
                jti: JTI.to_string(),
                iat: NOW,
                exp: NOW + LIFE,
            };
            assert_eq!(claims, expected, "{algorithm:?}");
            let written: serde_json::Value =
                serde_json::from_slice(&test_keys::base64url(token.split('.').nth(1).unwrap())).unwrap();
            assert_eq!(written["aud"], "https://api.example#password-reset", "not that of access tokens");
            let other = parts.verifier.verify_one_time(&token, &purpose("step-up"), NOW);
            assert_eq!(other.err(), Some(Rejection::WrongAudience), "{algorithm:?}");
        }
    }

    #[test]
    fn neither_type_passes_for_the_other() {
        let (user_id, nonce) = (crate::id::UserId::from_bytes([1; 16]), Nonce::from_bytes([0; 16]));
        let user = User {
            id: user_id,
            login_name: LoginName::parse("alice").unwrap(),
            status: Status::Active,
            ver: 1,
            floor: 0,
            roles: Roles::default(),
            scope: Scope::default(),
        };
        let policy = SessionPolicy::default();
        let begun = Session::begin(user_id, crate::id::SessionId::from_bytes([2; 16]), nonce, &policy, NOW);
        let session = Session { client_id: "web".to_owned(), ..begun };
        for algorithm in ALGORITHMS {
            let Parts { issuer, signer, verifier } = &parts(algorithm);
            let access = issuer.mint(signer, &user, &session, &Scope::default(), JTI, NOW).unwrap().text;
            let one_time = mint(&parts(algorithm), LIFE);
            assert!(verifier.verify(&access, NOW).is_ok());
            let as_access = verifier.verify(&one_time, NOW).err();
            let as_one_time = verifier.verify_one_time(&access, &purpose("password-reset"), NOW).err();
            assert_eq!([as_access, as_one_time], [Some(Rejection::WrongType); 2], "{algorithm:?}");
        }
    }

    #[test]
    fn what_is_not_ours_or_not_now_is_refused() {
        let parts = parts(Algorithm::ES256);
        let token = mint(&parts, LIFE);
        let verify = |token: &str, now| parts.verifier.verify_one_time(token, &purpose("password-reset"), now).err();
        let end = NOW + LIFE + LEEWAY;
        let second = Duration::from_secs(1);
        let other = |issuer: Issuer| {
            issuer.mint_one_time(&parts.signer, &purpose("password-reset"), "alice", LIFE, JTI, NOW).unwrap()
        };
        let (iss, aud) = (parts.issuer.iss.clone(), parts.issuer.aud.clone());
        let foreign = other(Issuer { iss: "https://other.example".to_owned(), aud: aud.clone(), ttl: LIFE });
        let elsewhere = other(Issuer { iss, aud: "other".to_owned(), ttl: LIFE });
        let nobody = parts.issuer.mint_one_time(&parts.signer, &purpose("password-reset"), "", LIFE, JTI, NOW).unwrap();
        let cases = [
            ("good", token.clone(), NOW, None),
            ("its last second", token.clone(), end.before(second), None),
            ("expired", token.clone(), end, Some(Rejection::Expired)),
            ("from the future", token.clone(), NOW.before(LEEWAY + second), Some(Rejection::IssuedInFuture)),
            ("forged", token.replacen('.', ".e", 1), NOW, Some(Rejection::Signature)),
            ("no token", "x".to_owned(), NOW, Some(Rejection::NotCompact)),
            ("of another issuer", foreign, NOW, Some(Rejection::WrongIssuer)),
            ("for another audience", elsewhere, NOW, Some(Rejection::WrongAudience)),
            ("about nobody", nobody, NOW, Some(Rejection::Claims)),
        ];
        for (name, token, now, expected) in cases {
            assert_eq!(verify(&token, now), expected, "{name}");
        }
        let long = mint(&parts, 10 * LONGEST_LIFE);
        assert_eq!(verify(&long, (NOW + LONGEST_LIFE).before(second)), None);
        assert_eq!(verify(&long, NOW + LONGEST_LIFE + LEEWAY), Some(Rejection::Expired), "no longer than that");
    }

    /// Whatever our key has signed.
    fn signed(parts: &Parts, header: &str, claims: &str) -> String {
        let message = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".");
        let signature = parts.signer.key().sign(message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn what_our_key_has_signed_is_checked_all_the_same() {
        use Rejection::{Claims, Header, LivesTooLong, UnknownKey, WrongAlgorithm, WrongType};
        let parts = parts(Algorithm::ES256);
        let header = format!(r#"{{"typ":"one-time+jwt","alg":"ES256","kid":"{}"}}"#, parts.signer.key().kid());
        let claims = r#"{"iss":"https://auth.example","sub":"alice","aud":"https://api.example#password-reset","exp":1800000600,"iat":1800000000,"jti":"j"}"#;
        let but = |what: &str, instead: &str| {
            assert!(header.contains(what) || claims.contains(what), "{what}");
            (header.replacen(what, instead, 1), claims.replacen(what, instead, 1))
        };
        let jti = |json: &str| but(r#""jti":"j""#, &format!(r#""jti":{json}"#));
        let exp = |json: &str| but("1800000600", json);
        let text = |length: usize| format!("\"{}\"", "x".repeat(length));
        let cases = [
            ("good", but("", ""), None),
            ("its type in full", but("one-time", "application/one-time"), None),
            ("the type of access tokens", but("one-time+jwt", "at+jwt"), Some(WrongType)),
            ("the type of any JWT", but("one-time+jwt", "JWT"), Some(WrongType)),
            ("an extension", but(r#","kid""#, r#","crit":["exp"],"kid""#), Some(Header)),
            ("no algorithm", but("ES256", "none"), Some(Header)),
            ("the algorithm of another key", but("ES256", "RS256"), Some(WrongAlgorithm)),
            ("the name of another key", but(r#""kid":""#, r#""kid":"x"#), Some(UnknownKey)),
            ("no jti", but(r#","jti":"j""#, ""), Some(Claims)),
            ("jti twice", jti(r#""j","jti":"k""#), Some(Claims)),
            ("jti empty", jti(r#""""#), Some(Claims)),
            ("jti null", jti("null"), Some(Claims)),
            ("jti a number", jti("1"), Some(Claims)),
            ("jti of 256 bytes", jti(&text(256)), None),
            ("jti of 257 bytes", jti(&text(257)), Some(Claims)),
            ("no exp", but(r#""exp":1800000600,"#, ""), Some(Claims)),
            ("exp a text", exp(r#""1800000600""#), Some(Claims)),
            ("exp 2^64", exp("18446744073709551616"), Some(Claims)),
            ("exp 2^64 - 1", exp("18446744073709551615"), Some(LivesTooLong)),
            ("exp twice", exp(r#"1800000600,"exp":1800000601"#), Some(Claims)),
            ("a life of an hour", exp("1800003600"), None),
            ("a life of an hour and a second", exp("1800003601"), Some(LivesTooLong)),
            ("no aud", but(r#""aud":"https://api.example#password-reset","#, ""), Some(Claims)),
            ("the audience of access tokens", but("#password-reset", ""), Some(Rejection::WrongAudience)),
        ];
        for (name, (header, claims), expected) in cases {
            let token = signed(&parts, &header, &claims);
            let refused = parts.verifier.verify_one_time(&token, &purpose("password-reset"), NOW).err();
            assert_eq!(refused, expected, "{name}");
        }
    }
}
