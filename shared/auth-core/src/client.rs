//! Clients with a secret: services and programs that prove who they are when they ask for tokens, or about them (RFC 6749
//! §2.3.1).

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, NoEntropy};
use crate::id::UserId;
use crate::policy::ACCESS_TTL_BOUNDS;
use crate::scope::Scope;
use crate::time::UnixTime;

/// What every client secret begins with, for people and for scanners of leaked secrets.
pub const SECRET_PREFIX: &str = "csc_";

const SECRET_LENGTH: usize = 32;

/// A client's identifier, the parameter `client_id`: 1 to 64 of `A`–`Z`, `a`–`z`, `0`–`9`, `.`, `_` and `-`, which need
/// no escape in a form, a URL, a key or a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientId(String);

/// The text cannot be a client's identifier.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a client identifier: expected 1 to 64 letters and digits of ASCII, dots, underscores and hyphens")]
pub struct MalformedClientId;

impl ClientId {
    /// The longest identifier, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// Reads an identifier; upper and lower case are told apart.
    ///
    /// # Errors
    ///
    /// [`MalformedClientId`] for another character or length.
    pub fn parse(text: &str) -> Result<Self, MalformedClientId> {
        let is_id = (1..=Self::MAX_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if is_id { Ok(Self(text.to_owned())) } else { Err(MalformedClientId) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it could be a user's identifier, too. A token of such a client would seem to be that user's to whoever looks at
    /// its `sub` alone (RFC 9068 §5).
    pub fn could_be_a_user(&self) -> bool {
        UserId::parse(&self.0.to_ascii_lowercase()).is_ok()
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A client's secret: 256 random bits, so that a plain digest of it keeps it.
///
/// `Debug` prints no bytes and there is no `Display`.
pub struct ClientSecret(Zeroizing<[u8; SECRET_LENGTH]>);

/// The text is no client secret that we have made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a client secret")]
pub struct MalformedSecret;

impl ClientSecret {
    /// A new secret.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] when the source of randomness fails.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut bytes = Zeroizing::new([0; SECRET_LENGTH]);
        entropy.fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// Reads what [`Self::text`] writes: `csc_` and 43 characters of strict base64url.
    ///
    /// # Errors
    ///
    /// [`MalformedSecret`] for every other text, of whatever length.
    pub fn parse(text: &str) -> Result<Self, MalformedSecret> {
        let text = text.strip_prefix(SECRET_PREFIX).ok_or(MalformedSecret)?;
        let mut bytes = Zeroizing::new([0; SECRET_LENGTH]);
        let length = BASE64_URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()).map_err(|_| MalformedSecret)?;
        if length == SECRET_LENGTH { Ok(Self(bytes)) } else { Err(MalformedSecret) }
    }

    /// The secret as its client keeps it.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(SECRET_PREFIX.len() + SECRET_LENGTH.div_ceil(3) * 4));
        text.push_str(SECRET_PREFIX);
        BASE64_URL_SAFE_NO_PAD.encode_string(self.0.as_slice(), &mut text);
        text
    }

    /// What is kept of it.
    pub fn digest(&self) -> SecretDigest {
        let mut bytes = [0; SECRET_LENGTH];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, self.0.as_slice()).as_ref());
        SecretDigest(bytes)
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientSecret(..)")
    }
}

/// The SHA-256 digest of the 32 bytes of a client's secret: all that the store keeps of it.
///
/// Compared in constant time.
#[derive(Clone, Copy)]
pub struct SecretDigest([u8; SECRET_LENGTH]);

impl SecretDigest {
    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; SECRET_LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the store.
    pub const fn as_bytes(&self) -> &[u8; SECRET_LENGTH] {
        &self.0
    }
}

impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for SecretDigest {}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretDigest(..)")
    }
}

/// A client as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// What it calls itself.
    pub id: ClientId,
    /// What it proves that by.
    pub digest: SecretDigest,
    /// When it was added.
    pub created_at: UnixTime,
    /// What an operator knows it by.
    pub description: Option<String>,
    /// What it may do.
    pub grants: Grants,
    /// The widest scope of its tokens.
    pub scope: Scope,
    /// How long its tokens live, if less long than others: within [`TOKEN_LIFE_BOUNDS`].
    pub token_life: Option<Duration>,
}

/// The bounds of the life that a client's tokens have of their own.
pub const TOKEN_LIFE_BOUNDS: (Duration, Duration) = (Duration::from_mins(1), ACCESS_TTL_BOUNDS.1);

impl Client {
    /// A client that may ask about tokens, and nothing else.
    pub fn new(id: ClientId, digest: SecretDigest, created_at: UnixTime) -> Self {
        let (grants, scope) = (Grants::default(), Scope::default());
        Self { id, digest, created_at, description: None, grants, scope, token_life: None }
    }

    /// Whether it may do this.
    pub fn may(&self, grant: Grant) -> bool {
        self.grants.contains(grant) && !(grant == Grant::ClientCredentials && self.id.could_be_a_user())
    }
}

/// One thing that a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// Ask whether tokens are good (RFC 7662).
    Introspect,
    /// Have tokens of its own (RFC 6749 §4.4).
    ClientCredentials,
    /// Have a narrower token for a user's, to act for the user (RFC 8693).
    TokenExchange,
}

impl Grant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Introspect, Self::ClientCredentials, Self::TokenExchange];

    /// What operators and the store call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Introspect => "introspect",
            Self::ClientCredentials => "client_credentials",
            Self::TokenExchange => "token_exchange",
        }
    }
}

/// What a client may do; perhaps nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants(BTreeSet<Grant>);

/// A word is none of a grant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected words of introspect, client_credentials and token_exchange, separated by spaces")]
pub struct UnknownGrant;

impl Grants {
    /// Reads names of grants, separated by spaces; the empty text is nothing at all.
    ///
    /// # Errors
    ///
    /// [`UnknownGrant`].
    pub fn parse(text: &str) -> Result<Self, UnknownGrant> {
        let named = |word: &str| Grant::ALL.into_iter().find(|grant| grant.name() == word).ok_or(UnknownGrant);
        text.split_ascii_whitespace().map(named).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this is among them.
    pub fn contains(&self, grant: Grant) -> bool {
        self.0.contains(&grant)
    }
}

/// Asking about tokens: all that a client could do before there was anything else.
impl Default for Grants {
    fn default() -> Self {
        Self(BTreeSet::from([Grant::Introspect]))
    }
}

impl FromIterator<Self> for Grants {
    /// All that is in any of them.
    fn from_iter<I: IntoIterator<Item = Self>>(grants: I) -> Self {
        Self(grants.into_iter().flat_map(|grants| grants.0).collect())
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|grant| grant.name()).collect();
        formatter.write_str(&names.join(" "))
    }
}

/// Who a caller claims to be, and what shall prove it.
#[derive(Debug)]
pub struct ClientCredentials {
    /// Which client.
    pub id: ClientId,
    /// Its secret, if it is right.
    pub secret: ClientSecret,
}

impl ClientCredentials {
    /// The client that was found under the identifier, if the secret is its own. An unknown one costs as much as a wrong
    /// secret, so that no clock tells which identifiers there are.
    pub fn authenticate(&self, found: Option<Client>) -> Option<Client> {
        let expected = found.as_ref().map_or(SecretDigest([0; SECRET_LENGTH]), |client| client.digest);
        let is_right = self.secret.digest() == expected;
        found.filter(|_| is_right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;

    fn client(secret: &ClientSecret) -> Client {
        let (id, created_at) = (ClientId::parse("gateway").unwrap(), UnixTime::from_seconds(1));
        Client::new(id, secret.digest(), created_at)
    }

    fn secret(byte: u8) -> ClientSecret {
        ClientSecret(Zeroizing::new([byte; SECRET_LENGTH]))
    }

    #[test]
    fn identifiers_need_no_escape() {
        let (longest, long) = ("x".repeat(64), "x".repeat(65));
        for good in ["a", "Z9", "my.api_gateway-2", "-", &longest] {
            assert_eq!(ClientId::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", " a", "a b", "a:b", "a/b", "a#b", "a%20", "a+b", "a&b", "caf\u{e9}", "a\n", "a\0", "*", &long] {
            assert_eq!(ClientId::parse(bad), Err(MalformedClientId), "{bad:?}");
        }
    }

    #[test]
    fn a_secret_is_its_text() {
        let [one, other] = [(); 2].map(|()| ClientSecret::random(&OsEntropy).unwrap().text());
        assert_ne!(one, other);
        assert_eq!((one.len(), one.get(..4)), (47, Some("csc_")));
        assert_eq!(ClientSecret::parse(&one).unwrap().text(), one);
    }

    #[test]
    fn other_lengths_alphabets_and_tails_are_no_secrets() {
        let text = secret(0).text();
        assert!(ClientSecret::parse(&text).is_ok());
        let cases = [
            String::new(),
            "csc_".to_owned(),
            text[..46].to_owned(),
            format!("{}B", &text[..46]), // loose bits at the end
            format!("{}A", *text),
            format!("{}=", *text),
            format!(" {}", *text),
            text.replace("csc_", "csr_"),
            text.replace("csc_", ""),
            text.replace('A', "+"),
            format!("csc_{}", "A".repeat(1_000_000)),
        ];
        for case in cases {
            assert_eq!(ClientSecret::parse(&case).err(), Some(MalformedSecret), "{case:.60}");
        }
    }

    /// The digest of 32 zero bytes by SHA-256 (FIPS 180-4), as `sha256sum` prints it.
    #[test]
    fn the_digest_is_sha_256() {
        let expected = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        let hex: Vec<String> = secret(0).digest().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex.concat(), expected);
    }

    #[test]
    fn a_client_proves_itself_by_its_own_secret() {
        let found = client(&secret(1));
        let cases = [
            ("its own", 1, Some(found.clone()), true),
            ("another", 2, Some(found.clone()), false),
            ("of no client", 1, None, false),
        ];
        for (name, byte, kept, expected) in cases {
            let credentials = ClientCredentials { id: found.id.clone(), secret: secret(byte) };
            let authenticated = credentials.authenticate(kept);
            assert_eq!(authenticated, expected.then(|| found.clone()), "{name}");
        }
    }

    #[test]
    fn grants_are_a_closed_set() {
        assert_eq!(Grants::default().to_string(), "introspect");
        let cases = [
            ("", Some("")),
            ("token_exchange introspect", Some("introspect token_exchange")),
            ("client_credentials client_credentials", Some("client_credentials")),
            ("refresh_token", None),
            ("Introspect", None),
            ("introspect,token_exchange", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Grants::parse(text).ok().map(|grants| grants.to_string()).as_deref(), expected, "{text:?}");
        }
        for grant in Grant::ALL {
            let client = Client { grants: Grants::parse(grant.name()).unwrap(), ..client(&secret(1)) };
            assert_eq!(Grant::ALL.map(|other| client.may(other)), Grant::ALL.map(|other| other == grant), "{grant:?}");
        }
    }

    #[test]
    fn a_client_that_is_named_like_a_user_has_no_tokens_of_its_own() {
        for (id, expected) in [
            ("67e55044-10b1-426f-9247-bb680e5fe0c8", false),
            ("67E55044-10B1-426F-9247-BB680E5FE0C8", false),
            ("67e55044-10b1-426f-9247-bb680e5fe0c", true),
            ("nightly-job", true),
        ] {
            let (id, grants) =
                (ClientId::parse(id).unwrap(), Grants::parse("client_credentials token_exchange").unwrap());
            let client = Client { id, grants, ..client(&secret(1)) };
            assert_eq!(client.may(Grant::ClientCredentials), expected, "{}", client.id);
            assert!(client.may(Grant::TokenExchange), "{}", client.id);
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let credentials = ClientCredentials { id: ClientId::parse("a").unwrap(), secret: secret(1) };
        let shown = format!("{credentials:?} {:?}", secret(1).digest());
        let expected = "ClientCredentials { id: ClientId(\"a\"), secret: ClientSecret(..) } SecretDigest(..)";
        assert_eq!(shown, expected);
    }
}
