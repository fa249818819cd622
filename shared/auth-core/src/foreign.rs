//! Access tokens of other issuers: believed by their keys and under the terms that the configuration sets, and never taken for
//! our own.

pub mod terms;

mod jwks;
mod mapping;

use std::sync::Arc;

use jsonwebtoken::Algorithm;
use serde::Deserialize as _;
use serde_json::{Map, Value};

pub use self::jwks::JwksError;
use self::terms::Terms;
use crate::claims::NumericDate;
use crate::jwt::{
    LEEWAY, LONGEST_SIGNATURE, MAX_ID_LENGTH, MAX_MINTED_LENGTH, MAX_READ_LENGTH, Rejection, decode, decode_signature,
};
use crate::key::VerifyingKey;
use crate::scope::{Roles, Scope};
use crate::strict_json;
use crate::time::UnixTime;

/// Header members that would change what is signed, or bring a key (RFC 8725 §3.10). Others may be there and are not read (RFC
/// 7515 §4).
const REFUSED: [&str; 8] = ["b64", "crit", "enc", "jku", "jwk", "x5c", "x5u", "zip"];

/// What a verified access token of another issuer says. Only [`ForeignVerifier::verify`] builds one.
///
/// The caller's name is `iss` and `sub` together: a `sub` alone may be that of a user of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignClaims {
    /// Who issued it: one of those that the configuration names.
    pub iss: String,
    /// Whom it is about, in that issuer's words.
    pub sub: String,
    /// The client that it was issued to, if it says so.
    pub client_id: Option<String>,
    /// What it may be used for, in our words.
    pub scope: Scope,
    /// What its holder is, in our words.
    pub roles: Roles,
    /// Its own identifier, if it has one.
    pub jti: Option<String>,
    /// From when on it is dead.
    pub exp: UnixTime,
}

/// Checks access tokens of one other issuer.
#[derive(Debug)]
pub struct ForeignVerifier {
    terms: Arc<Terms>,
    keys: Vec<VerifyingKey>,
}

type Claims = Map<String, Value>;

impl ForeignVerifier {
    /// Under these terms and any of the keys of a JWK Set (RFC 7517 §5) that can be used under them.
    ///
    /// # Errors
    ///
    /// [`JwksError`], when no key can.
    pub fn new(terms: Arc<Terms>, jwks: &[u8]) -> Result<Self, JwksError> {
        let keys = jwks::usable(jwks, &terms.algorithms)?;
        Ok(Self { terms, keys })
    }

    /// Believes a token, or says why not.
    ///
    /// # Errors
    ///
    /// The first [`Rejection`] in the order of the checks: form, header, key, signature, claims.
    pub fn verify(&self, token: &str, now: UnixTime) -> Result<ForeignClaims, Rejection> {
        let Parts { header, claims, message, signature } = Parts::split(token)?;
        let key = self.key(&decode(header)?)?;
        let mut room = [0; LONGEST_SIGNATURE];
        let signature = decode_signature(signature, &mut room)?;
        let claims = decode(claims)?;
        key.check(message.as_bytes(), signature).map_err(|_| Rejection::Signature)?;
        self.believe(&strict_json::object(&claims).ok_or(Rejection::Claims)?, now)
    }

    /// The key that a header names. An algorithm that is not among those of the terms never makes a key unknown, which would be
    /// looked up.
    fn key(&self, header: &[u8]) -> Result<&VerifyingKey, Rejection> {
        let header = strict_json::object(header).ok_or(Rejection::Header)?;
        if REFUSED.iter().any(|name| header.contains_key(*name)) {
            return Err(Rejection::Header);
        }
        let text = |name: &str| header.get(name).map(|value| value.as_str().ok_or(Rejection::Header)).transpose();
        if !self.terms.takes_type(text("typ")?) {
            return Err(Rejection::WrongType);
        }
        let (alg, kid) = (text("alg")?.ok_or(Rejection::Header)?, text("kid")?.ok_or(Rejection::Header)?);
        let alg = alg.parse::<Algorithm>().ok().filter(|alg| self.terms.algorithms.contains(alg));
        let alg = alg.ok_or(Rejection::WrongAlgorithm)?;
        let key = self.keys.iter().find(|key| key.kid() == kid).ok_or(Rejection::UnknownKey)?;
        if key.algorithm() == alg { Ok(key) } else { Err(Rejection::WrongAlgorithm) }
    }

    fn believe(&self, claims: &Claims, now: UnixTime) -> Result<ForeignClaims, Rejection> {
        let terms = &self.terms;
        if required(claims, "iss")? != terms.issuer {
            return Err(Rejection::WrongIssuer);
        }
        terms.check_audience(claims)?;
        terms.check_kind(claims)?;
        let exp = self.check_times(claims, now)?;
        if claims.contains_key("cnf") {
            return Err(Rejection::SenderConstrained);
        }
        let (scope, roles) = (terms.scope(claims)?, terms.roles(claims)?);
        if scope.as_str().len() + roles.as_str().len() > MAX_MINTED_LENGTH {
            return Err(Rejection::Claims);
        }
        Ok(ForeignClaims {
            iss: terms.issuer.clone(),
            sub: id(required(claims, "sub")?)?,
            client_id: terms.client_id(claims)?.map(id).transpose()?,
            jti: claims.get("jti").map(|jti| id(jti.as_str().ok_or(Rejection::Claims)?)).transpose()?,
            exp: UnixTime::from_seconds(exp),
            scope,
            roles,
        })
    }

    /// RFC 7519 §4.1.4 to §4.1.6, as of our own tokens; `iat` may be missing, and then the token was issued just now.
    fn check_times(&self, claims: &Claims, now: UnixTime) -> Result<u64, Rejection> {
        let date = |name: &str| {
            let date = claims.get(name).map(NumericDate::deserialize).transpose();
            date.map(|date| date.map(|NumericDate(seconds)| seconds)).map_err(|_| Rejection::Claims)
        };
        let (exp, nbf, iat) = (date("exp")?.ok_or(Rejection::Claims)?, date("nbf")?, date("iat")?);
        let (now, leeway) = (now.seconds(), LEEWAY.as_secs());
        if now >= exp.saturating_add(leeway) {
            return Err(Rejection::Expired);
        }
        if nbf.is_some_and(|nbf| nbf > now + leeway) {
            return Err(Rejection::NotYetValid);
        }
        if iat.is_some_and(|iat| iat > now + leeway) {
            return Err(Rejection::IssuedInFuture);
        }
        if exp.saturating_sub(iat.unwrap_or(now)) > self.terms.max_life.as_secs() {
            return Err(Rejection::LivesTooLong);
        }
        Ok(exp)
    }
}

/// Who a token says has issued it. Not believed: it only chooses who checks the token.
///
/// # Errors
///
/// [`Rejection`], when nobody could believe the token.
pub fn unverified_issuer(token: &str) -> Result<String, Rejection> {
    let claims = decode(Parts::split(token)?.claims)?;
    let claims = strict_json::object(&claims).ok_or(Rejection::Claims)?;
    required(&claims, "iss").map(str::to_owned)
}

/// The parts of a compact JWS (RFC 7515 §3.1).
struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    /// Both of them: what is signed.
    message: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Self, Rejection> {
        if token.len() > MAX_READ_LENGTH {
            return Err(Rejection::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Rejection::NotCompact)?;
        let (header, claims) = message.split_once('.').ok_or(Rejection::NotCompact)?;
        Ok(Self { header, claims, message, signature })
    }
}

fn required<'a>(claims: &'a Claims, name: &str) -> Result<&'a str, Rejection> {
    claims.get(name).and_then(Value::as_str).ok_or(Rejection::Claims)
}

/// An identifier becomes a field of logs and of what backends get, so it is bounded and one line.
fn id(text: &str) -> Result<String, Rejection> {
    let is_good = !text.is_empty() && text.len() <= MAX_ID_LENGTH && !text.contains(char::is_control);
    if is_good { Ok(text.to_owned()) } else { Err(Rejection::Claims) }
}

#[cfg(test)]
mod tests;
