//! The claims of an access token (RFC 9068 §2.2), as they stand in its JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::id::{SessionId, TokenId};
use crate::scope::{MalformedWords, Roles, Scope};
use crate::time::UnixTime;

/// What a verified access token says. Only [`crate::jwt::Verifier::verify`] builds one.
///
/// `iss` and `aud` are those that the verifier was set up for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessClaims {
    /// The user; in a client's own token the client.
    pub sub: String,
    /// The user's session. A client's own token is of none.
    pub session: Option<SessionClaims>,
    /// The client that the token was minted for.
    pub client_id: String,
    /// What the token may be used for.
    pub scope: Scope,
    /// What the user is. Clients are nothing, and act for nobody as what he is.
    pub roles: Roles,
    /// The token's own identifier.
    pub jti: String,
    /// When it was minted.
    pub iat: UnixTime,
    /// From when on it is dead.
    pub exp: UnixTime,
    /// The key that signed it: the header member `kid`.
    pub kid: String,
}

impl AccessClaims {
    /// The claim `sid`.
    pub fn sid(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.sid.as_str())
    }

    /// What a token exchange made of the token, if one did.
    pub fn delegation(&self) -> Option<&DelegationClaims> {
        self.session.as_ref()?.delegation.as_ref()
    }
}

/// What a user's token says of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClaims {
    /// The session.
    pub sid: String,
    /// The user's version when the token was minted.
    pub ver: u64,
    /// For whom and under which session it was exchanged, if it was.
    pub delegation: Option<DelegationClaims>,
}

impl SessionClaims {
    /// All identifiers among them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        let delegation = self.delegation.iter().flat_map(|it| [it.actor.as_str(), it.parent_sid.as_str()]);
        std::iter::once(self.sid.as_str()).chain(delegation)
    }
}

/// What the token of a client says that acts for a user (RFC 8693 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationClaims {
    /// The client: the member `sub` of the claim `act`.
    pub actor: String,
    /// The user's own session, whose end is the end of this one.
    pub parent_sid: String,
}

/// The claims as they are minted.
#[derive(Debug, Serialize)]
pub(crate) struct MintedClaims<'a, Sub> {
    pub(crate) iss: &'a str,
    pub(crate) sub: Sub,
    pub(crate) aud: &'a str,
    pub(crate) exp: u64,
    pub(crate) iat: u64,
    pub(crate) jti: TokenId,
    pub(crate) client_id: &'a str,
    pub(crate) scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) roles: Option<Array<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ver: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) act: Option<Actor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent_sid: Option<SessionId>,
}

/// Roles as a list of texts.
#[derive(Debug)]
pub(crate) struct Array<'a>(pub(crate) &'a Roles);

impl Serialize for Array<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

/// The claim `act`: who acts for the subject (RFC 8693 §4.1).
#[derive(Debug, Serialize)]
pub(crate) struct Actor<'a> {
    pub(crate) sub: &'a str,
}

/// The same, before it is believed.
#[derive(Deserialize)]
struct UnverifiedActor {
    sub: String,
    /// Whoever acted before. Nobody did: a token that was exchanged is not exchanged again.
    #[serde(default, deserialize_with = "present")]
    act: Option<IgnoredAny>,
}

impl UnverifiedActor {
    fn read(act: &RawValue) -> Option<Self> {
        // Serde alone would take an array, too.
        let object = act.get().starts_with('{').then(|| serde_json::from_str(act.get()).ok());
        object.flatten().filter(|actor: &Self| actor.act.is_none())
    }
}

/// The claims as they are read, before any of them is believed. A doubled member is an error; a member that is not
/// named here is ignored (RFC 7519 §4).
#[derive(Debug, Deserialize)]
pub(crate) struct UnverifiedClaims<'a> {
    #[serde(borrow)]
    pub(crate) iss: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) sub: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) aud: Audience<'a>,
    pub(crate) exp: NumericDate,
    #[serde(default, deserialize_with = "present")]
    pub(crate) nbf: Option<NumericDate>,
    pub(crate) iat: NumericDate,
    #[serde(borrow)]
    pub(crate) jti: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) client_id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) scope: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    sid: Option<Text<'a>>,
    #[serde(borrow, default)]
    roles: Vec<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    ver: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) cnf: Option<IgnoredAny>,
    #[serde(borrow, default, deserialize_with = "present")]
    act: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    parent_sid: Option<Text<'a>>,
}

/// Claims that a token has together or not at all, and some are missing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Incomplete;

/// A member that may be absent, but is not `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl UnverifiedClaims<'_> {
    pub(crate) fn roles(&self) -> Result<Roles, MalformedWords> {
        // A role is one word: joined and parsed again, one with a space in it would become two.
        if self.roles.iter().any(|Text(role)| role.is_empty() || role.contains(' ')) {
            return Err(MalformedWords);
        }
        let mut words = String::with_capacity(64);
        for Text(role) in &self.roles {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(role);
        }
        Roles::parse(&words)
    }

    /// Of a user's token: `sid` and `ver`, and, if a client acts for the user, `act` and `parent_sid`.
    pub(crate) fn session(&self) -> Result<Option<SessionClaims>, Incomplete> {
        let delegation = match (&self.act, &self.parent_sid) {
            (None, None) => None,
            (Some(act), Some(Text(parent_sid))) => {
                let actor = UnverifiedActor::read(act).ok_or(Incomplete)?.sub;
                Some(DelegationClaims { actor, parent_sid: parent_sid.to_string() })
            }
            _ => return Err(Incomplete),
        };
        match (&self.sid, self.ver) {
            (None, None) if delegation.is_none() => Ok(None),
            (Some(Text(sid)), Some(ver)) => Ok(Some(SessionClaims { sid: sid.to_string(), ver, delegation })),
            _ => Err(Incomplete),
        }
    }
}

/// A text inside of a list. Serde borrows a `Cow` only where it is told to, and it cannot be told so for one in a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// `aud`: one string or several (RFC 7519 §4.1.3).
#[derive(Debug)]
pub(crate) enum Audience<'a> {
    One(Cow<'a, str>),
    Several(Vec<Text<'a>>),
}

impl Audience<'_> {
    pub(crate) fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|Text(one)| one == audience),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Audience<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AudienceVisitor;

        impl<'de> Visitor<'de> for AudienceVisitor {
            type Value = Audience<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string or an array of strings")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Audience::One(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Audience::One(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut several = Vec::new();
                while let Some(one) = seq.next_element()? {
                    several.push(one);
                }
                Ok(Audience::Several(several))
            }
        }

        deserializer.deserialize_any(AudienceVisitor)
    }
}

/// Seconds since the epoch, whole or not (RFC 7519 §2), rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NumericDate(pub(crate) u64);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DateVisitor;

        impl Visitor<'_> for DateVisitor {
            type Value = NumericDate;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("seconds since the epoch")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Self::Value, E> {
                Ok(NumericDate(seconds))
            }

            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "rounds down; in range by the check"
            )]
            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Self::Value, E> {
                // 2^53: beyond it a JSON number is no exact second any more (RFC 8259 §6).
                if (0.0..9_007_199_254_740_992.0).contains(&seconds) {
                    Ok(NumericDate(seconds as u64))
                } else {
                    Err(E::custom("out of range"))
                }
            }
        }

        deserializer.deserialize_any(DateVisitor)
    }
}
