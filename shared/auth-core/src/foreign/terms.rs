//! Under which terms the tokens of another issuer are believed: one entry of `TRUSTED_ISSUERS`.

pub mod flaw;

use std::collections::BTreeMap;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value;

use self::flaw::{Flaw, LIFE_BOUNDS, TermsError};
use super::mapping::{Place, Words, texts, translated};
use super::{Claims, jwks};
use crate::config::is_document_url;
use crate::jwt::{MAX_ID_LENGTH, Rejection, is_type};
use crate::scope::{Roles, Scope};

/// What another issuer may sign with: a shared key would let us make its tokens.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// How long a token lives at most, unless the terms say so: the longest default of the usual issuers.
const LIFE: Duration = Duration::from_hours(24);

/// The longest `jwks_uri`.
const MAX_URI_LENGTH: usize = 2048;

/// The terms for one issuer.
#[derive(Debug)]
pub struct Terms {
    pub(super) issuer: String,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) max_life: Duration,
    audiences: Vec<String>,
    /// With `None` among them, a header may have no `typ`.
    types: Vec<Option<String>>,
    claims: Claimed,
    /// Claims that say that it is an access token, and for whom, in the issuer's own way.
    require: BTreeMap<String, OneOrMore>,
    scopes: Option<Words>,
    roles: Option<Words>,
    keys: KeySource,
}

/// Where the keys of an issuer are.
#[derive(Debug)]
pub enum KeySource {
    /// In the terms: a JWK Set.
    Inline(String),
    /// At a URL: https, or http on loopback.
    Uri(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    issuer: String,
    audience: OneOrMore,
    algorithms: Vec<String>,
    jwks_uri: Option<String>,
    jwks: Option<Value>,
    types: Option<Vec<Option<String>>>,
    max_life_seconds: Option<u64>,
    #[serde(default)]
    claims: Claimed,
    #[serde(default)]
    require: BTreeMap<String, OneOrMore>,
    scopes: Option<BTreeMap<String, String>>,
    roles: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn has(&self, text: &str) -> bool {
        match self {
            Self::One(one) => one == text,
            Self::More(several) => several.iter().any(|one| one == text),
        }
    }
}

/// Where an issuer's claims stand. It gives no roles unless the terms say by which claim.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Claimed {
    aud: Place,
    scope: Place,
    client_id: Place,
    roles: Option<Place>,
}

impl Default for Claimed {
    fn default() -> Self {
        let name = |name: &str| Place::Name(name.to_owned());
        Self { aud: name("aud"), scope: name("scope"), client_id: name("client_id"), roles: None }
    }
}

/// Reads a list of terms and checks all of it.
///
/// # Errors
///
/// The first [`TermsError`].
pub fn parse(json: &str, own_issuer: &str) -> Result<Vec<Terms>, TermsError> {
    let list: Vec<Value> = serde_json::from_value(crate::strict_json::value(json)?)?;
    let mut all: Vec<Terms> = Vec::with_capacity(list.len());
    for (at, value) in list.into_iter().enumerate() {
        let terms = Terms::read(value).map_err(|flaw| TermsError::Issuer(at, flaw))?;
        if terms.issuer == own_issuer {
            return Err(TermsError::Issuer(at, Flaw::Own));
        }
        if all.iter().any(|other| other.issuer == terms.issuer) {
            return Err(TermsError::Issuer(at, Flaw::Twice));
        }
        all.push(terms);
    }
    Ok(all)
}

impl Terms {
    fn read(value: Value) -> Result<Self, Flaw> {
        let written: Written = serde_json::from_value(value)?;
        let audiences = match written.audience {
            OneOrMore::One(one) => vec![one],
            OneOrMore::More(several) => several,
        };
        let types = written.types.unwrap_or_else(|| ["at+jwt", "JWT"].map(|typ| Some(typ.to_owned())).to_vec());
        let known = |words: Option<BTreeMap<String, String>>| words.map(|words| Words::new(words).ok_or(Flaw::Words));
        let algorithms = algorithms(&written.algorithms).ok_or(Flaw::Algorithms)?;
        let terms = Self {
            issuer: written.issuer,
            keys: KeySource::read(written.jwks_uri, written.jwks, &algorithms)?,
            algorithms,
            max_life: written.max_life_seconds.map_or(LIFE, Duration::from_secs),
            audiences,
            types,
            claims: written.claims,
            require: written.require,
            scopes: known(written.scopes).transpose()?,
            roles: known(written.roles).transpose()?,
        };
        terms.checked()
    }

    fn checked(self) -> Result<Self, Flaw> {
        let is_name = |name: &String| !name.is_empty() && name.len() <= MAX_ID_LENGTH;
        // No |, because it stands between issuer and subject where one text has to name both.
        let is_issuer = |byte: u8| byte.is_ascii_graphic() && byte != b'|';
        let places =
            [&self.claims.aud, &self.claims.scope, &self.claims.client_id].into_iter().chain(&self.claims.roles);
        let flaws = [
            (is_name(&self.issuer) && self.issuer.bytes().all(is_issuer), Flaw::Name),
            (!self.audiences.is_empty() && self.audiences.iter().all(is_name), Flaw::Audience),
            (!self.types.is_empty() && self.types.iter().flatten().all(is_name), Flaw::Types),
            ((LIFE_BOUNDS.0..=LIFE_BOUNDS.1).contains(&self.max_life.as_secs()), Flaw::Life),
            (places.into_iter().all(Place::is_one) && self.require.keys().all(is_name), Flaw::Claim),
        ];
        match flaws.into_iter().find(|(is_good, _)| !is_good) {
            Some((_, flaw)) => Err(flaw),
            None => Ok(self),
        }
    }

    /// The claim `iss`, as the configuration spells it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where the keys are.
    pub const fn keys(&self) -> &KeySource {
        &self.keys
    }

    pub(super) fn takes_type(&self, typ: Option<&str>) -> bool {
        self.types.iter().any(|taken| match (taken, typ) {
            (Some(taken), Some(typ)) => is_type(typ, taken),
            (taken, typ) => taken.is_none() && typ.is_none(),
        })
    }

    pub(super) fn check_audience(&self, claims: &Claims) -> Result<(), Rejection> {
        let aud = self.claims.aud.find(claims).ok_or(Rejection::WrongAudience)?;
        let is_ours = |audience: &&str| self.audiences.iter().any(|own| own == audience);
        if texts(aud)?.iter().any(is_ours) { Ok(()) } else { Err(Rejection::WrongAudience) }
    }

    /// That it is an access token, in the issuer's own way.
    pub(super) fn check_kind(&self, claims: &Claims) -> Result<(), Rejection> {
        let says = |(name, wanted): (&String, &OneOrMore)| {
            claims.get(name).and_then(Value::as_str).is_some_and(|text| wanted.has(text))
        };
        if self.require.iter().all(says) { Ok(()) } else { Err(Rejection::WrongType) }
    }

    pub(super) fn client_id<'a>(&self, claims: &'a Claims) -> Result<Option<&'a str>, Rejection> {
        let client_id = self.claims.client_id.find(claims);
        client_id.map(|client_id| client_id.as_str().ok_or(Rejection::Claims)).transpose()
    }

    /// A text is words with spaces between them (RFC 8693 §4.2), as a list of such texts is.
    pub(super) fn scope(&self, claims: &Claims) -> Result<Scope, Rejection> {
        let theirs = self.claims.scope.find(claims).map(texts).transpose()?.unwrap_or_default();
        Ok(translated(theirs.into_iter().flat_map(|text| text.split(' ')), self.scopes.as_ref()))
    }

    /// A text is one role: there is no standard that would split it.
    pub(super) fn roles(&self, claims: &Claims) -> Result<Roles, Rejection> {
        let Some(place) = &self.claims.roles else { return Ok(Roles::default()) };
        let theirs = place.find(claims).map(texts).transpose()?.unwrap_or_default();
        let words = translated(theirs.into_iter(), self.roles.as_ref());
        Roles::parse(words.as_str()).map_err(|_| Rejection::Claims)
    }
}

fn algorithms(names: &[String]) -> Option<Vec<Algorithm>> {
    let known = |name: &String| name.parse().ok().filter(|algorithm| ALGORITHMS.contains(algorithm));
    names.iter().map(known).collect::<Option<Vec<_>>>().filter(|algorithms| !algorithms.is_empty())
}

impl KeySource {
    fn read(uri: Option<String>, set: Option<Value>, algorithms: &[Algorithm]) -> Result<Self, Flaw> {
        match (uri, set) {
            (Some(uri), None) if uri.len() <= MAX_URI_LENGTH && is_document_url(&uri) => Ok(Self::Uri(uri)),
            (Some(_), None) => Err(Flaw::Uri),
            (None, Some(set)) => {
                let set = set.to_string();
                jwks::usable(set.as_bytes(), algorithms)?;
                Ok(Self::Inline(set))
            }
            _ => Err(Flaw::Source),
        }
    }
}

#[cfg(test)]
mod tests;
