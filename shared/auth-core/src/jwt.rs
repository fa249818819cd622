//! Tokens as compact JWS (RFC 7515 §3.1): the one way to make one, and the one way to believe one. Nearly all are access tokens.

pub mod one_time;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use base64::{DecodeSliceError, Engine as _};
use jsonwebtoken::Algorithm;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::claims::{AccessClaims, NumericDate, SessionClaims, UnverifiedClaims};
use crate::key::{KeySet, SigningKey, VerifyingKey};
use crate::policy::ACCESS_TTL_BOUNDS;
use crate::scope::Scope;
use crate::time::UnixTime;

/// The header member `typ` of an access token (RFC 9068 §2.1).
const TYPE: &str = "at+jwt";

/// How far the clocks of two machines may differ before a token is refused for it.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// Longer tokens are not read.
pub const MAX_READ_LENGTH: usize = 8 * 1024;

/// Longer tokens are not minted.
pub const MAX_MINTED_LENGTH: usize = 4 * 1024;

/// Of RSA with 8192 bits; in bytes.
pub(crate) const LONGEST_SIGNATURE: usize = 1024;

/// Longer identifiers are not believed, in bytes: they become keys of maps and fields of logs.
pub const MAX_ID_LENGTH: usize = 256;

/// What comes before the claims of a token: the key that signs it.
#[derive(Clone, Debug)]
pub struct TokenHeader {
    encoded: String,
    /// What is set aside for a signature and two dots.
    room: usize,
}

impl TokenHeader {
    /// For tokens that a key of this name signs.
    pub fn new(algorithm: Algorithm, kid: &str) -> Self {
        Self::of_type(TYPE, algorithm, kid)
    }

    fn of_type(typ: &str, algorithm: Algorithm, kid: &str) -> Self {
        Self { encoded: header(typ, algorithm, kid), room: if algorithm == Algorithm::RS256 { 344 } else { 88 } }
    }

    /// A token of claims that are already right, but for its signature.
    pub(crate) fn draft(&self, claims: &impl Serialize) -> Result<Draft, MintError> {
        let mut json = Vec::with_capacity(512);
        serde_json::to_writer(&mut json, claims).map_err(|_| MintError::Signature)?;
        let mut message = String::with_capacity(self.encoded.len() + json.len().div_ceil(3) * 4 + self.room);
        message.push_str(&self.encoded);
        message.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(json, &mut message);
        Ok(Draft(message))
    }
}

/// A token that is to be signed: its JWS Signing Input (RFC 7515 §5.1).
#[derive(Debug)]
pub struct Draft(String);

impl Draft {
    /// What is signed.
    pub const fn message(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The token with a signature from elsewhere, if it is that of this key (RFC 7518 §3: for ECDSA, r and s of 32 bytes each).
    ///
    /// # Errors
    ///
    /// [`MintError`].
    pub fn signed_by(self, key: &VerifyingKey, signature: &[u8]) -> Result<String, MintError> {
        key.check(self.message(), signature).map_err(|_| MintError::Signature)?;
        self.with_signature(signature)
    }

    fn with_signature(self, signature: &[u8]) -> Result<String, MintError> {
        let Self(mut token) = self;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        let length = token.len();
        if length > MAX_MINTED_LENGTH {
            return Err(MintError::TooLong { length, claims: BigClaims::of(&token) });
        }
        Ok(token)
    }
}

/// Signs access tokens with one key.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    header: TokenHeader,
}

/// Why no token was minted.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// Over [`MAX_MINTED_LENGTH`]: scope or roles are too many for a header field. Whoever asks for less scope may get one.
    #[error(
        "the access token would have {length} characters, more than {MAX_MINTED_LENGTH}; the biggest claims: {claims}"
    )]
    TooLong {
        /// What it would have.
        length: usize,
        /// What makes it so.
        claims: BigClaims,
    },
    /// What signs did not, or not with this key.
    #[error("signing failed")]
    Signature,
}

/// The names of a token's biggest claims and their bytes as JSON, the biggest first.
#[derive(Debug, PartialEq, Eq)]
pub struct BigClaims(Vec<(String, usize)>);

impl BigClaims {
    /// Smaller claims are not named: those that every token has.
    const LEAST: usize = 256;

    /// Of a token that was drafted here.
    fn of(token: &str) -> Self {
        let claims = token.split('.').nth(1).and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
        let claims: BTreeMap<String, Box<RawValue>> =
            claims.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
        let sizes = claims.into_iter().map(|(name, value)| (name, value.get().len()));
        let mut big: Vec<_> = sizes.filter(|(_, size)| *size >= Self::LEAST).collect();
        big.sort_by_key(|(_, size)| Reverse(*size));
        Self(big)
    }
}

impl fmt::Display for BigClaims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, size)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(formatter, "{comma}{name} ({size} bytes)")?;
        }
        Ok(())
    }
}

impl Signer {
    /// Prepares a key for signing.
    pub fn new(key: SigningKey) -> Self {
        let header = TokenHeader::new(key.algorithm(), key.kid());
        Self { key, header }
    }

    /// The key.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// What its tokens begin with.
    pub const fn header(&self) -> &TokenHeader {
        &self.header
    }

    /// Makes a token of a draft under this key's header.
    ///
    /// # Errors
    ///
    /// [`MintError`].
    pub fn sign(&self, draft: Draft) -> Result<String, MintError> {
        let signature = self.key.sign(draft.message()).map_err(|_| MintError::Signature)?;
        draft.with_signature(&signature)
    }
}

/// The encoded header of a token that we mint.
fn header(typ: &str, algorithm: Algorithm, kid: &str) -> String {
    let header = UnverifiedHeader { alg: algorithm, typ: typ.into(), kid: kid.into() };
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).unwrap_or_default())
}

/// A JOSE header with exactly the members that an access token of ours has. Every other member is refused by its mere
/// presence: `crit`, `b64`, `zip`, `jwk`, `jku`, `x5u`, `x5c`, `x5t`, `cty` (RFC 8725 §3.10, §3.11).
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct UnverifiedHeader<'a> {
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(deserialize_with = "name")]
    alg: Algorithm,
    #[serde(borrow)]
    kid: Cow<'a, str>,
}

/// Serde alone would take `{"RS256": null}` for an algorithm, too.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Algorithm, D::Error> {
    Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// Checks access tokens of one issuer for one audience.
#[derive(Debug)]
pub struct Verifier {
    issuer: String,
    audience: String,
    keys: Vec<KnownKey>,
}

#[derive(Debug)]
struct KnownKey {
    /// With the dot behind it.
    header: String,
    key: VerifyingKey,
}

/// Why a token is not believed. For the log; the caller is told none of it (RFC 6750 §3.1: `invalid_token`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Over [`MAX_READ_LENGTH`].
    #[error("too long")]
    TooLong,
    /// Not three parts of strict base64url.
    #[error("not a compact JWS")]
    NotCompact,
    /// The header is not JSON, lacks a member or has one that is not allowed.
    #[error("header not acceptable")]
    Header,
    /// `typ` is not `at+jwt`, or, of a one-time token, not its own; or the token is of another kind than access tokens.
    #[error("wrong type")]
    WrongType,
    /// No key has this `kid`.
    #[error("unknown key")]
    UnknownKey,
    /// `alg` is not that of the key.
    #[error("wrong algorithm for the key")]
    WrongAlgorithm,
    /// The signature does not fit.
    #[error("wrong signature")]
    Signature,
    /// The claims are not JSON, or one is missing, doubled, empty or of a wrong type.
    #[error("claims not acceptable")]
    Claims,
    /// `iss` is another.
    #[error("wrong issuer")]
    WrongIssuer,
    /// `aud` does not name us.
    #[error("wrong audience")]
    WrongAudience,
    /// `exp` has come.
    #[error("expired")]
    Expired,
    /// `nbf` has not come.
    #[error("not valid yet")]
    NotYetValid,
    /// `iat` has not come.
    #[error("issued in the future")]
    IssuedInFuture,
    /// Lives longer than any token of ours.
    #[error("lives too long")]
    LivesTooLong,
    /// Bound to a key by `cnf`: not to be taken as a bearer token (RFC 9449 §7.1).
    #[error("sender-constrained")]
    SenderConstrained,
}

impl Rejection {
    /// What logs and metrics call it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLong | Self::NotCompact | Self::Header | Self::Claims => "malformed",
            Self::WrongType => "wrong_type",
            Self::UnknownKey => "unknown_key",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::Signature => "wrong_signature",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid | Self::IssuedInFuture => "not_yet_valid",
            Self::LivesTooLong => "lives_too_long",
            Self::SenderConstrained => "sender_constrained",
        }
    }
}

impl Verifier {
    /// A verifier for tokens of `issuer`, minted for `audience`, under any of `keys`.
    pub fn new(issuer: String, audience: String, keys: KeySet) -> Self {
        let known = |key: VerifyingKey| KnownKey { header: header(TYPE, key.algorithm(), key.kid()) + ".", key };
        Self { issuer, audience, keys: keys.into_keys().map(known).collect() }
    }

    /// Believes a token, or says why not.
    ///
    /// # Errors
    ///
    /// The first [`Rejection`] in the order of the checks: form, header, key, signature, claims.
    pub fn verify(&self, token: &str, now: UnixTime) -> Result<AccessClaims, Rejection> {
        let (key, claims) = self.open(token, TYPE)?;
        self.believe(&claims, key, now)
    }

    /// The claims of a token of this type that one of the keys signed, as they stand in it, and that key.
    fn open(&self, token: &str, typ: &str) -> Result<(&VerifyingKey, Vec<u8>), Rejection> {
        if token.len() > MAX_READ_LENGTH {
            return Err(Rejection::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Rejection::NotCompact)?;
        let (key, claims) = self.key(message, typ)?;
        Ok((key, authentic(key, message, claims, signature)?))
    }

    /// The key that a message's header names, and the rest of the message. Nearly every header is one of ours to the
    /// letter, and needs no parsing.
    fn key<'a>(&self, message: &'a str, typ: &str) -> Result<(&VerifyingKey, &'a str), Rejection> {
        let mut keys = self.keys.iter().filter(|_| typ == TYPE);
        if let Some(usual) = keys.find_map(|known| Some((&known.key, message.strip_prefix(&known.header)?))) {
            return Ok(usual);
        }
        let (header, claims) = message.split_once('.').ok_or(Rejection::NotCompact)?;
        Ok((self.key_of_unusual(header, typ)?, claims))
    }

    fn key_of_unusual(&self, header: &str, typ: &str) -> Result<&VerifyingKey, Rejection> {
        let json = decode(header)?;
        let header: UnverifiedHeader<'_> = read(&json).ok_or(Rejection::Header)?;
        if !is_type(&header.typ, typ) {
            return Err(Rejection::WrongType);
        }
        self.key_of(&header.kid, header.alg)
    }

    fn key_of(&self, kid: &str, algorithm: Algorithm) -> Result<&VerifyingKey, Rejection> {
        let known = self.keys.iter().find(|known| known.key.kid() == kid).ok_or(Rejection::UnknownKey)?;
        if known.key.algorithm() == algorithm { Ok(&known.key) } else { Err(Rejection::WrongAlgorithm) }
    }

    fn believe(&self, claims: &[u8], key: &VerifyingKey, now: UnixTime) -> Result<AccessClaims, Rejection> {
        let claims: UnverifiedClaims<'_> = read(claims).ok_or(Rejection::Claims)?;
        if claims.iss != self.issuer {
            return Err(Rejection::WrongIssuer);
        }
        if !claims.aud.contains(&self.audience) {
            return Err(Rejection::WrongAudience);
        }
        check_times(claims.exp, claims.nbf, claims.iat, now)?;
        if claims.cnf.is_some() {
            return Err(Rejection::SenderConstrained);
        }
        let session = claims.session().map_err(|_| Rejection::Claims)?;
        let roles = claims.roles().map_err(|_| Rejection::Claims)?;
        // Without a session it is a client's own (RFC 9068 §2.2): of no other subject, and of no roles.
        if session.is_none() && (claims.sub != claims.client_id || !roles.is_empty()) {
            return Err(Rejection::Claims);
        }
        let ids = [&*claims.sub, &*claims.jti, &*claims.client_id];
        if !ids.into_iter().chain(session.iter().flat_map(SessionClaims::ids)).all(is_id) {
            return Err(Rejection::Claims);
        }
        Ok(AccessClaims {
            scope: Scope::parse(&claims.scope).map_err(|_| Rejection::Claims)?,
            roles,
            sub: claims.sub.into_owned(),
            session,
            client_id: claims.client_id.into_owned(),
            jti: claims.jti.into_owned(),
            iat: UnixTime::from_seconds(claims.iat.0),
            exp: UnixTime::from_seconds(claims.exp.0),
            kid: key.kid().to_owned(),
        })
    }
}

/// The claims of a message that this key signed.
fn authentic(key: &VerifyingKey, message: &str, claims: &str, signature: &str) -> Result<Vec<u8>, Rejection> {
    let mut room = [0; LONGEST_SIGNATURE];
    let signature = decode_signature(signature, &mut room)?;
    let claims = decode(claims)?;
    key.check(message.as_bytes(), signature).map_err(|_| Rejection::Signature)?;
    Ok(claims)
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&text.len())
}

/// RFC 7519 §4.1.4 to §4.1.6. `exp` is exclusive: at `exp` the token is dead, give or take [`LEEWAY`].
fn check_times(exp: NumericDate, nbf: Option<NumericDate>, iat: NumericDate, now: UnixTime) -> Result<(), Rejection> {
    let (now, leeway) = (now.seconds(), LEEWAY.as_secs());
    if now >= exp.0.saturating_add(leeway) {
        return Err(Rejection::Expired);
    }
    if nbf.is_some_and(|nbf| nbf.0 > now + leeway) {
        return Err(Rejection::NotYetValid);
    }
    if iat.0 > now + leeway {
        return Err(Rejection::IssuedInFuture);
    }
    if exp.0.saturating_sub(iat.0) > ACCESS_TTL_BOUNDS.1.as_secs() {
        return Err(Rejection::LivesTooLong);
    }
    Ok(())
}

/// Whether `typ` says this, in any case, with or without `application/` before it (RFC 9068 §4, RFC 7515 §4.1.9).
pub(crate) fn is_type(typ: &str, expected: &str) -> bool {
    let prefix = "application/";
    let short = match typ.split_at_checked(prefix.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(prefix) => rest,
        _ => typ,
    };
    short.eq_ignore_ascii_case(expected)
}

/// Reads one JSON object. All of it is UTF-8, what is ignored, too; and it is an object, where serde would take an array
/// for a struct.
fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    let json = str::from_utf8(json).ok()?;
    let is_object = json.trim_ascii_start().starts_with('{');
    is_object.then(|| serde_json::from_str(json).ok()).flatten()
}

/// Strict base64url: no padding, no white space, no other alphabet, no loose bits at the end (RFC 7515 §2).
pub(crate) fn decode(part: &str) -> Result<Vec<u8>, Rejection> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejection::NotCompact)
}

/// The same, without asking for memory.
pub(crate) fn decode_signature<'a>(part: &str, room: &'a mut [u8; LONGEST_SIGNATURE]) -> Result<&'a [u8], Rejection> {
    let length = BASE64_URL_SAFE_NO_PAD.decode_slice(part, room).map_err(|error| match error {
        DecodeSliceError::DecodeError(_) => Rejection::NotCompact,
        DecodeSliceError::OutputSliceTooSmall => Rejection::Signature,
    })?;
    room.get(..length).ok_or(Rejection::Signature)
}

#[cfg(test)]
mod tests;
