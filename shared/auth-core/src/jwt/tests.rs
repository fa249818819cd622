//! Tokens that must be refused, each for one reason, beside those that must be believed. Nearly all of them carry a
//! signature of the genuine key, so that it is not the signature which refuses them.

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use jsonwebtoken::jwk::JwkSet;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::key::ALGORITHMS;
use crate::scope::Roles;
use crate::test_keys;

const NOW: u64 = 1_800_000_000;
const ISS: &str = "https://auth.example";
const AUD: &str = "https://api.example";
const HEADER: &str = r#"{"typ":"at+jwt","alg":"$alg","kid":"$kid"}"#;

/// The claims of a good token, each as JSON.
const CLAIMS: [(&str, &str); 11] = [
    ("iss", r#""https://auth.example""#),
    ("sub", r#""user""#),
    ("aud", r#""https://api.example""#),
    ("exp", "1800000540"),
    ("iat", "1799999940"),
    ("jti", r#""token""#),
    ("client_id", r#""web""#),
    ("scope", r#""orders:read profile""#),
    ("sid", r#""session""#),
    ("roles", r#"["customer","support"]"#),
    ("ver", "7"),
];

type Verdict = Result<(), Rejection>;

/// One algorithm: who signs and who checks.
struct Party {
    key: SigningKey,
    verifier: Verifier,
}

impl Party {
    fn new(algorithm: Algorithm) -> Self {
        let key = test_keys::signing_key(algorithm);
        let verifier = Verifier::new(ISS.to_owned(), AUD.to_owned(), test_keys::key_set(key.jwk()));
        Self { key, verifier }
    }

    fn all() -> &'static [Self; 4] {
        static PARTIES: LazyLock<[Party; 4]> = LazyLock::new(|| ALGORITHMS.map(Party::new));
        &PARTIES
    }

    fn name(&self) -> String {
        format!("{:?}", self.key.algorithm())
    }

    /// Fills in `$alg` and `$kid`.
    fn fill(&self, template: &str) -> String {
        template.replace("$alg", &self.name()).replace("$kid", self.key.kid())
    }

    /// A token of parts that are already encoded.
    fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{header}.{claims}");
        let signature = self.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", encode(signature))
    }

    /// A token with this header and these claims, whatever they say.
    fn token(&self, header: &str, claims: impl AsRef<[u8]>) -> String {
        self.sign(&encode(self.fill(header)), &encode(claims))
    }

    fn good(&self) -> String {
        self.token(HEADER, claims())
    }

    fn verify(&self, token: &str) -> Verdict {
        self.verify_at(token, UnixTime::from_seconds(NOW))
    }

    fn verify_at(&self, token: &str, now: UnixTime) -> Verdict {
        self.verifier.verify(token, now).map(|_| ())
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn claims() -> String {
    object(CLAIMS.map(|(name, value)| (name, value.to_owned())))
}

/// The claims of a good token with one of them set to some JSON.
fn with(name: &str, json: &str) -> String {
    let others = CLAIMS.into_iter().filter(|(other, _)| *other != name);
    object(others.chain([(name, json)]).map(|(name, value)| (name, value.to_owned())))
}

/// The claims of a good token without one of them.
fn without(name: &str) -> String {
    object(CLAIMS.into_iter().filter(|(other, _)| *other != name).map(|(name, value)| (name, value.to_owned())))
}

/// The claims of a good token and something more, raw.
fn and(raw: &str) -> String {
    format!("{},{raw}}}", claims().strip_suffix('}').unwrap())
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let members: Vec<String> = members.into_iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn a_good_token_tells_its_claims() {
    for party in Party::all() {
        let claims = party.verifier.verify(&party.good(), UnixTime::from_seconds(NOW)).unwrap();
        let expected = AccessClaims {
            sub: "user".to_owned(),
            session: Some(SessionClaims { sid: "session".to_owned(), ver: 7, delegation: None }),
            client_id: "web".to_owned(),
            scope: Scope::parse("orders:read profile").unwrap(),
            roles: Roles::parse("customer support").unwrap(),
            jti: "token".to_owned(),
            iat: UnixTime::from_seconds(NOW - 60),
            exp: UnixTime::from_seconds(NOW + 540),
            kid: party.key.kid().to_owned(),
        };
        assert_eq!(claims, expected, "{}", party.name());
    }
}

#[test]
fn headers_in_every_valid_spelling_are_accepted() {
    let cases = [
        ("as we write it", HEADER),
        ("in another order", r#"{"kid":"$kid","alg":"$alg","typ":"at+jwt"}"#),
        ("white space", "\n{\t\"alg\" : \"$alg\",\r\n \"kid\":\"$kid\" , \"typ\"\n:\"at+jwt\" } \n"),
        ("the whole media type", r#"{"typ":"application/at+jwt","alg":"$alg","kid":"$kid"}"#),
        ("upper case", r#"{"typ":"AT+JWT","alg":"$alg","kid":"$kid"}"#),
        ("the whole media type, mixed case", r#"{"typ":"Application/At+Jwt","alg":"$alg","kid":"$kid"}"#),
        ("escapes in values", r#"{"typ":"application\/\u0061t+jwt","alg":"$alg","kid":"$kid"}"#),
        ("escapes in names", r#"{"\u0074yp":"at+jwt","a\u006cg":"$alg","k\u0069d":"$kid"}"#),
    ];
    for party in Party::all() {
        for (name, header) in cases {
            assert_eq!(party.verify(&party.token(header, claims())), Ok(()), "{}: {name}", party.name());
        }
    }
}

#[test]
fn alg_is_that_of_the_key_and_a_string() {
    let none = ["none", "None", "NONE", "nOnE", "none ", " none", "none\\u0000", "\\u006eone", ""];
    let others = ["$alg ", "$alg\\u0000", "ES256K", "ES512", "Ed25519", "RSA-OAEP", "dir", "HS1", "RS256,ES256"];
    let json = ["null", "0", "true", r#"["$alg"]"#, r#"{"$alg":null}"#, r#"{"$alg":{}}"#];
    let unreadable = none.iter().chain(&others).map(|text| format!("\"{text}\"")).chain(json.map(str::to_owned));
    for alg in unreadable {
        for party in Party::all() {
            let header = format!(r#"{{"typ":"at+jwt","alg":{alg},"kid":"$kid"}}"#);
            let signed = party.token(&header, claims());
            assert_eq!(party.verify(&signed), Err(Rejection::Header), "{}: {alg}", party.name());
            let unsigned = signed.rsplit_once('.').unwrap().0.to_owned() + ".";
            assert_eq!(party.verify(&unsigned), Err(Rejection::Header), "{}: {alg}, unsigned", party.name());
        }
    }
    let known =
        ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    for alg in known {
        for party in Party::all() {
            let token = party.token(&HEADER.replace("$alg", alg), claims());
            let expected = if alg == party.name() { Ok(()) } else { Err(Rejection::WrongAlgorithm) };
            assert_eq!(party.verify(&token), expected, "{}: {alg}", party.name());
            let lower = party.token(&HEADER.replace("$alg", &alg.to_lowercase()), claims());
            assert_eq!(party.verify(&lower), Err(Rejection::Header), "{}: {alg} in lower case", party.name());
        }
    }
}

#[test]
fn headers_that_are_not_ours_are_refused() {
    use Rejection::{Header, UnknownKey, WrongType};
    let kid = |json: &str| format!(r#"{{"typ":"at+jwt","alg":"$alg","kid":{json}}}"#);
    let typ = |json: &str| format!(r#"{{"typ":{json},"alg":"$alg","kid":"$kid"}}"#);
    let cases = [
        ("kid of nobody", kid(r#""2026-01""#), UnknownKey),
        ("kid empty", kid(r#""""#), UnknownKey),
        ("kid with a tail", kid(r#""$kid ""#), UnknownKey),
        ("kid with a NUL", kid(r#""$kid\u0000""#), UnknownKey),
        ("kid begins like ours", kid(r#""$kid""#).replace("$kid", "$kid0"), UnknownKey),
        ("kid is a path", kid(r#""../../../../dev/null""#), UnknownKey),
        ("kid is a query", kid(r#""x' UNION SELECT 'key""#), UnknownKey),
        ("kid is a URL", kid(r#""https://evil.example/key""#), UnknownKey),
        ("kid null", kid("null"), Header),
        ("kid a number", kid("0"), Header),
        ("kid an array", kid(r#"["$kid"]"#), Header),
        ("kid missing", r#"{"typ":"at+jwt","alg":"$alg"}"#.to_owned(), Header),
        ("alg missing", r#"{"typ":"at+jwt","kid":"$kid"}"#.to_owned(), Header),
        ("typ missing", r#"{"alg":"$alg","kid":"$kid"}"#.to_owned(), Header),
        ("typ null", typ("null"), Header),
        ("typ a number", typ("1"), Header),
        ("typ an array", typ(r#"["at+jwt"]"#), Header),
        ("typ empty", typ(r#""""#), WrongType),
        ("typ of any JWT", typ(r#""JWT""#), WrongType),
        ("typ of any JWT, whole", typ(r#""application/jwt""#), WrongType),
        ("typ of a logout token", typ(r#""logout+jwt""#), WrongType),
        ("typ of a proof", typ(r#""dpop+jwt""#), WrongType),
        ("typ with a space", typ(r#""at+jwt ""#), WrongType),
        ("typ with a parameter", typ(r#""at+jwt;v=1""#), WrongType),
        ("typ of another tree", typ(r#""text/at+jwt""#), WrongType),
        ("typ with two trees", typ(r#""application/application/at+jwt""#), WrongType),
        ("typ with a slash", typ(r#""/at+jwt""#), WrongType),
        ("typ is only the tree", typ(r#""application/""#), WrongType),
        ("typ looks alike", typ("\"\u{430}t+jwt\""), WrongType),
        ("typ cuts a character", typ("\"applicatio\u{e9}at+jwt\""), WrongType),
    ];
    for party in Party::all() {
        for (name, header, expected) in &cases {
            assert_eq!(party.verify(&party.token(header, claims())), Err(*expected), "{}: {name}", party.name());
        }
        // Base64url of a digest is case-sensitive.
        let flip = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        let other_case: String = party.key.kid().chars().map(flip).collect();
        let token = party.token(&HEADER.replace("$kid", &other_case), claims());
        assert_eq!(party.verify(&token), Err(UnknownKey), "{}: kid in another case", party.name());
    }
}

#[test]
fn no_other_header_member_is_tolerated() {
    for party in Party::all() {
        let jwk = serde_json::to_string(party.key.jwk()).unwrap();
        let members = [
            r#""crit":[]"#,
            r#""crit":["exp"]"#,
            r#""crit":["b64"],"b64":false"#,
            r#""crit":["http://example.com/UNDEFINED"],"http://example.com/UNDEFINED":true"#,
            r#""crit":null"#,
            r#""crit":"exp""#,
            r#""b64":false"#,
            r#""b64":true"#,
            r#""zip":"DEF""#,
            r#""jku":"https://evil.example/jwks.json""#,
            r#""x5u":"https://evil.example/cert.pem""#,
            r#""x5c":["MIIB"]"#,
            r#""x5t":"AAAA""#,
            r#""x5t#S256":"AAAA""#,
            r#""cty":"JWT""#,
            r#""cty":null"#,
            r#""enc":"A256GCM""#,
            r#""p2c":2147483647"#,
            r#""iss":"https://auth.example""#,
            r#""":0"#,
            r#""__proto__":{}"#,
            r#""KID":"$kid""#,
            r#""typ ":"at+jwt""#,
        ];
        for member in members.map(str::to_owned).into_iter().chain([format!(r#""jwk":{jwk}"#)]) {
            let header = HEADER.replace('}', &format!(",{member}}}"));
            assert_eq!(
                party.verify(&party.token(&header, claims())),
                Err(Rejection::Header),
                "{}: {member}",
                party.name()
            );
        }
    }
}

#[test]
fn doubled_header_members_are_refused() {
    let doubled = [
        r#""typ":"at+jwt""#,
        r#""typ":"JWT""#,
        r#""alg":"$alg""#,
        r#""alg":"none""#,
        r#""kid":"$kid""#,
        r#""kid":"other""#,
        r#""\u0061lg":"$alg""#,
        r#""ki\u0064":"$kid""#,
    ];
    for party in Party::all() {
        for member in doubled {
            for header in [HEADER.replace('}', &format!(",{member}}}")), HEADER.replace('{', &format!("{{{member},"))] {
                assert_eq!(
                    party.verify(&party.token(&header, claims())),
                    Err(Rejection::Header),
                    "{}: {header}",
                    party.name()
                );
            }
        }
    }
}

#[test]
fn headers_that_are_no_json_object_are_refused() {
    for party in Party::all() {
        let good = party.fill(HEADER);
        let array = party.fill(r#"["at+jwt","$alg","$kid"]"#);
        let cases: [(&str, Vec<u8>); 18] = [
            ("nothing", vec![]),
            ("null", b"null".to_vec()),
            ("a string", b"\"at+jwt\"".to_vec()),
            ("an empty object", b"{}".to_vec()),
            ("the values as an array", array.into_bytes()),
            ("the object in an array", format!("[{good}]").into_bytes()),
            ("two objects", format!("{good}{good}").into_bytes()),
            ("something after it", format!("{good}x").into_bytes()),
            ("a NUL after it", format!("{good}\0").into_bytes()),
            ("a byte order mark", format!("\u{feff}{good}").into_bytes()),
            ("a trailing comma", good.replace('}', ",}").into_bytes()),
            ("a comment", good.replace('{', "{/**/").into_bytes()),
            ("single quotes", good.replace('"', "'").into_bytes()),
            ("not terminated", good.replace('}', "").into_bytes()),
            ("no UTF-8", [good.as_bytes(), b"\xff"].concat()),
            ("a raw NUL in a text", good.replace("at+jwt", "at+jwt\0").into_bytes()),
            ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("random bytes", (0..=255).collect()),
        ];
        for (name, header) in cases {
            let token = party.sign(&encode(header), &encode(claims()));
            assert_eq!(party.verify(&token), Err(Rejection::Header), "{}: {name}", party.name());
        }
    }
}

#[test]
fn deep_and_huge_json_is_refused_and_harms_nothing() {
    let deep = |open: &str, count: usize| encode(open.repeat(count));
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for party in Party::all() {
        let (header, good) = (encode(party.fill(HEADER)), encode(claims()));
        let most = (MAX_READ_LENGTH - header.len() - 400) / 4 * 3;
        let cases = [
            ("header of arrays", party.sign(&deep("[", 5000), &good), Err(Rejection::Header)),
            ("header of objects", party.sign(&deep(r#"{"":"#, 1200), &good), Err(Rejection::Header)),
            ("header with a deep member", party.sign(&deep(r#"{"typ":["#, 600), &good), Err(Rejection::Header)),
            ("claims of arrays", party.sign(&header, &deep("[", most)), Err(Rejection::Claims)),
            ("claims of objects", party.sign(&header, &deep(r#"{"":"#, most / 4)), Err(Rejection::Claims)),
            ("deep aud", party.token(HEADER, with("aud", &nested(2000))), Err(Rejection::Claims)),
            ("deep roles", party.token(HEADER, with("roles", &nested(2000))), Err(Rejection::Claims)),
            (
                "deep cnf",
                party.token(HEADER, and(&format!(r#""cnf":{}"#, nested(2000)))),
                Err(Rejection::SenderConstrained),
            ),
            ("deep, but ignored", party.token(HEADER, and(&format!(r#""x":{}"#, nested(2000)))), Ok(())),
            ("a long number", party.token(HEADER, with("exp", &"9".repeat(5000))), Err(Rejection::Claims)),
            ("a long exponent", party.token(HEADER, with("exp", "1e999999999999999999999")), Err(Rejection::Claims)),
        ];
        for (name, token, expected) in cases {
            assert!(token.len() <= MAX_READ_LENGTH, "{}: {name}: {}", party.name(), token.len());
            assert_eq!(party.verify(&token), expected, "{}: {name}", party.name());
        }
    }
}

#[test]
fn only_one_compact_jws_is_a_token() {
    use Rejection::{Claims, Header, NotCompact, Signature};
    for party in Party::all() {
        let good = party.good();
        let [h, c, s] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
        let flattened = json!({ "payload": c, "protected": h, "signature": s }).to_string();
        let general = json!({ "payload": c, "signatures": [{ "protected": h, "signature": s }] }).to_string();
        let jwe = encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
        let cases = [
            ("nothing", String::new(), NotCompact),
            ("one part", h.to_owned(), NotCompact),
            ("two parts", format!("{h}.{c}"), NotCompact),
            ("two parts and a dot", format!("{h}.{c}."), Signature),
            ("only a dot", ".".to_owned(), NotCompact),
            ("only two dots", "..".to_owned(), Header),
            ("no header", format!(".{c}.{s}"), Header),
            ("no claims", format!("{h}..{s}"), Signature),
            ("no claims, signed", party.sign(h, ""), Claims),
            ("four parts", format!("{good}.{s}"), NotCompact),
            ("a dot behind", format!("{good}."), NotCompact),
            ("a dot before", format!(".{good}"), Header),
            ("two dots between", format!("{h}..{c}.{s}"), NotCompact),
            ("five parts", format!("{good}.{c}.{s}"), NotCompact),
            ("a JWE", format!("{jwe}.{c}.{c}.{c}.{s}"), Header),
            ("a JWE under our header", format!("{h}.{c}.{c}.{c}.{s}"), NotCompact),
            ("flattened JSON", flattened, NotCompact),
            ("general JSON", general, NotCompact),
            ("nested", party.token(HEADER, &good), Claims),
            ("nested, in quotes", party.token(HEADER, format!("\"{good}\"")), Claims),
            ("twice", format!("{good}{good}"), NotCompact),
            ("two, separated by a comma", format!("{good},{good}"), NotCompact),
            ("with its scheme", format!("Bearer {good}"), NotCompact),
            ("in quotes", format!("\"{good}\""), NotCompact),
            ("percent-encoded", good.replace('.', "%2E"), NotCompact),
        ];
        for (name, token, expected) in cases {
            assert_eq!(party.verify(&token), Err(expected), "{}: {name}", party.name());
        }
    }
}

#[test]
fn base64url_is_strict_in_each_part() {
    for party in Party::all() {
        // White space makes header and claims one byte longer than a multiple of three: their last character has loose
        // bits then. Question marks give special characters; a header of ours can have none.
        let header = party.fill(r#"{"typ":"at+jwt","alg":"$alg","kid":"$kid"~}"#);
        let header = (0..3).map(|n| header.replace('~', &" ".repeat(n))).find(|h| h.len() % 3 == 1).unwrap();
        let h = encode(header);
        let token = |n: usize| {
            let c = and(&format!(r#""x":"{}???>>>""#, " ".repeat(n)));
            let token = party.sign(&h, &encode(&c));
            let [_, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
            let special = claims.contains(['-', '_']) && signature.contains(['-', '_']);
            (special && c.len() % 3 == 1).then(|| (token.clone(), claims.to_owned(), signature.to_owned()))
        };
        let (good, c, s) = (0..300).find_map(token).unwrap();
        assert_eq!(party.verify(&good), Ok(()), "{}", party.name());
        let last_of = |part: &str, change: &dyn Fn(u8) -> u8| {
            let mut bytes = part.as_bytes().to_vec();
            let last = bytes.last_mut().unwrap();
            *last = change(*last);
            String::from_utf8(bytes).unwrap()
        };
        // The next character of the alphabet differs in the lowest bit, which a tail of two characters does not use.
        let loose = |part: &str| {
            last_of(part, &|last| match last {
                b'A'..=b'Y' | b'a'..=b'y' | b'0'..=b'8' => last + 1,
                b'Z' => b'a',
                b'z' => b'0',
                b'9' => b'-',
                _ => b'_',
            })
        };
        let spoilt = |part: &str| {
            [
                ("padded", format!("{part}=")),
                ("padded twice", format!("{part}==")),
                ("standard alphabet", part.replace('-', "+").replace('_', "/")),
                ("loose bits", loose(part)),
                ("a space behind", format!("{part} ")),
                ("a space before", format!(" {part}")),
                ("a line break behind", format!("{part}\n")),
                ("a line break inside", format!("{}\r\n{}", &part[..8], &part[8..])),
                ("a tab", format!("\t{part}")),
                ("a NUL", format!("{part}\0")),
                ("no ASCII", format!("{part}\u{200b}")),
                ("of an impossible length", part.to_owned() + &"A".repeat(5 - part.len() % 4)),
            ]
        };
        for (name, h) in spoilt(&h).into_iter().filter(|(name, _)| *name != "standard alphabet") {
            let token = party.sign(&h, &c);
            assert_eq!(party.verify(&token), Err(Rejection::NotCompact), "{}: header {name}", party.name());
        }
        for (name, c) in spoilt(&c) {
            let token = party.sign(&h, &c);
            assert_eq!(party.verify(&token), Err(Rejection::NotCompact), "{}: claims {name}", party.name());
        }
        for (name, s) in spoilt(&s) {
            let token = format!("{h}.{c}.{s}");
            assert_eq!(party.verify(&token), Err(Rejection::NotCompact), "{}: signature {name}", party.name());
        }
    }
}

#[test]
fn a_signature_is_the_right_one_or_none() {
    for party in Party::all() {
        let good = party.good();
        let (message, signature) = good.rsplit_once('.').unwrap();
        let other = party.token(HEADER, with("sub", "\"admin\""));
        let bytes = decode(signature).unwrap();
        let flipped = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            bytes
        };
        let cases = [
            ("empty", vec![]),
            ("one byte", vec![0]),
            ("a byte short", bytes[..bytes.len() - 1].to_vec()),
            ("its first byte missing", bytes[1..].to_vec()),
            ("a byte long", [&bytes[..], &[0]].concat()),
            ("a zero before", [&[0], &bytes[..]].concat()),
            ("doubled", [&bytes[..], &bytes[..]].concat()),
            ("as long as any may be", vec![1; 1024]),
            ("longer than any may be", vec![1; 1025]),
            ("much longer", vec![1; 5000]),
            ("a bit at the start", flipped(0)),
            ("a bit at the end", flipped(bytes.len() - 1)),
            ("zeros", vec![0; bytes.len()]),
            ("ones", vec![0xff; bytes.len()]),
            ("of another message", decode(other.rsplit_once('.').unwrap().1).unwrap()),
            ("of the claims alone", party.key.sign(message.split_once('.').unwrap().1.as_bytes()).unwrap()),
            ("of the decoded message", party.key.sign(party.fill(HEADER).as_bytes()).unwrap()),
        ];
        for (name, signature) in cases {
            let token = format!("{message}.{}", encode(signature));
            assert_eq!(party.verify(&token), Err(Rejection::Signature), "{}: {name}", party.name());
        }
    }
}

type Sign<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

#[test]
fn another_form_of_signature_by_the_same_key_is_refused() {
    let random = SystemRandom::new();
    let rsa = RsaKeyPair::from_pkcs8(&test_keys::der(test_keys::RSA)).unwrap();
    let rsa = |encoding: &'static dyn RsaEncoding, message: &[u8]| {
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(encoding, &random, message, &mut signature).unwrap();
        signature
    };
    let ecdsa = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &test_keys::der(test_keys::P256)).unwrap();
    let fixed = |message: &[u8]| Party::new(Algorithm::ES256).key.sign(message).unwrap();
    let half = |message: &[u8], r: bool| {
        let mut signature = fixed(message);
        if r { &mut signature[..32] } else { &mut signature[32..] }.fill(0);
        signature
    };
    let secret = decode(test_keys::HMAC).unwrap();
    let sha512 = hmac::Key::new(hmac::HMAC_SHA512, &secret);
    let cases: [(&str, Algorithm, Sign<'_>); 11] = [
        ("PSS", Algorithm::RS256, &|message| rsa(&RSA_PSS_SHA256, message)),
        ("SHA-384", Algorithm::RS256, &|message| rsa(&RSA_PKCS1_SHA384, message)),
        ("SHA-512", Algorithm::RS256, &|message| rsa(&RSA_PKCS1_SHA512, message)),
        ("DER", Algorithm::ES256, &|message| ecdsa.sign(&random, message).unwrap().as_ref().to_vec()),
        ("r = 0", Algorithm::ES256, &|message| half(message, true)),
        ("s = 0", Algorithm::ES256, &|message| half(message, false)),
        ("r and s exchanged", Algorithm::ES256, &|message| {
            let mut signature = fixed(message);
            signature.rotate_left(32);
            signature
        }),
        ("S = 0, R the neutral element", Algorithm::EdDSA, &|_| {
            let mut signature = vec![0; 64];
            signature[0] = 1;
            signature
        }),
        ("SHA-512", Algorithm::HS256, &|message| hmac::sign(&sha512, message).as_ref().to_vec()),
        ("half of SHA-512", Algorithm::HS256, &|message| hmac::sign(&sha512, message).as_ref()[..32].to_vec()),
        ("half", Algorithm::HS256, &|message| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message).as_ref()[..16].to_vec()
        }),
    ];
    for (name, algorithm, sign) in cases {
        let party = Party::new(algorithm);
        let message = format!("{}.{}", encode(party.fill(HEADER)), encode(claims()));
        let token = format!("{message}.{}", encode(sign(message.as_bytes())));
        assert_eq!(party.verify(&token), Err(Rejection::Signature), "{algorithm:?}: {name}");
    }
}

#[test]
fn a_public_key_is_no_hmac_key_in_any_encoding() {
    for (algorithm, public) in [
        (Algorithm::RS256, test_keys::RSA_PUBLIC),
        (Algorithm::ES256, test_keys::P256_PUBLIC),
        (Algorithm::EdDSA, test_keys::ED25519_PUBLIC),
    ] {
        let party = Party::new(algorithm);
        let jwk = serde_json::to_value(party.key.jwk()).unwrap();
        let text = |at: &str| jwk[at].as_str().unwrap_or_default().to_owned();
        let bytes = |at: &str| decode(&text(at)).unwrap();
        let spki = test_keys::der(public);
        let mut secrets = vec![
            ("SPKI PEM", public.as_bytes().to_vec()),
            ("SPKI PEM, trimmed", public.trim().as_bytes().to_vec()),
            ("SPKI PEM, CRLF", public.replace('\n', "\r\n").into_bytes()),
            ("SPKI PEM, one line", public.replace('\n', "").into_bytes()),
            ("SPKI in base64", public.lines().filter(|line| !line.starts_with('-')).collect::<String>().into_bytes()),
            ("SPKI DER", spki.clone()),
            ("the key inside of the SPKI", spki[spki.len() - 32..].to_vec()),
            ("JWK", jwk.to_string().into_bytes()),
            ("JWK, pretty", serde_json::to_vec_pretty(&jwk).unwrap()),
            ("JWK Set", json!({ "keys": [jwk] }).to_string().into_bytes()),
            ("n", bytes("n")),
            ("n, text", text("n").into_bytes()),
            ("n with a zero", [vec![0], bytes("n")].concat()),
            ("e", bytes("e")),
            ("x", bytes("x")),
            ("x, text", text("x").into_bytes()),
            ("x and y", [bytes("x"), bytes("y")].concat()),
            ("the point", [vec![4], bytes("x"), bytes("y")].concat()),
            ("the point, compressed", [vec![2 + bytes("y").last().unwrap_or(&0) % 2], bytes("x")].concat()),
            ("kid", party.key.kid().as_bytes().to_vec()),
            ("kid, bytes", decode(party.key.kid()).unwrap()),
            ("nothing", vec![]),
        ];
        if algorithm == Algorithm::RS256 {
            let pair = RsaKeyPair::from_pkcs8(&test_keys::der(test_keys::RSA)).unwrap();
            assert_eq!(pair.public_key().as_der().unwrap().as_ref(), spki, "the two halves are of one key");
            secrets.push(("PKCS#1 DER", pair.public_key().as_ref().to_vec()));
        }
        for (name, secret) in secrets {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            for (alg, expected) in [("HS256", Rejection::WrongAlgorithm), ("$alg", Rejection::Signature)] {
                let header = party.fill(&HEADER.replace("$alg", alg));
                let message = format!("{}.{}", encode(header), encode(claims()));
                let token = format!("{message}.{}", encode(hmac::sign(&key, message.as_bytes())));
                assert_eq!(party.verify(&token), Err(expected), "{algorithm:?}: {name}, {alg}");
            }
        }
    }
}

#[test]
fn a_key_checks_only_what_it_signed() {
    let parties = Party::all();
    for signer in parties {
        for checker in parties {
            let (same, names) = (signer.name() == checker.name(), format!("{} for {}", signer.name(), checker.name()));
            let expected = |rejection| if same { Ok(()) } else { Err(rejection) };
            assert_eq!(checker.verify(&signer.good()), expected(Rejection::UnknownKey), "{names}: as it is");
            let claimed = signer.token(&checker.fill(HEADER), claims());
            assert_eq!(checker.verify(&claimed), expected(Rejection::Signature), "{names}: under the other's name");
            let half = signer.token(&HEADER.replace("$kid", checker.key.kid()), claims());
            assert_eq!(checker.verify(&half), expected(Rejection::WrongAlgorithm), "{names}: under the other's kid");
        }
    }
    // In one set, too, a token is checked by the key that it names and by no other.
    let public = [0, 1, 2].map(|at: usize| parties[at].key.jwk().clone());
    let keys = KeySet::from_jwks(&JwkSet { keys: public.to_vec() }).unwrap();
    let verifier = Verifier::new(ISS.to_owned(), AUD.to_owned(), keys);
    for signer in &parties[..3] {
        for named in &parties[..3] {
            let token = signer.token(&named.fill(HEADER), claims());
            let actual = verifier.verify(&token, UnixTime::from_seconds(NOW)).is_ok();
            assert_eq!(actual, signer.name() == named.name(), "{} as {}", signer.name(), named.name());
        }
    }
}

#[test]
fn another_key_under_our_kid_is_another_key() {
    let file: Value = serde_json::from_str(include_str!("../../../../tests/vectors/rfc.json")).unwrap();
    for party in Party::all() {
        let mut jwks = file["signatures"].as_array().unwrap().iter().map(|vector| vector["jwk"].clone());
        let mut jwk = jwks.find(|jwk| jwk["alg"] == party.name()).unwrap();
        jwk["kid"] = party.key.kid().into();
        let keys = test_keys::key_set(&serde_json::from_value(jwk).unwrap());
        let verifier = Verifier::new(ISS.to_owned(), AUD.to_owned(), keys);
        let actual = verifier.verify(&party.good(), UnixTime::from_seconds(NOW)).err();
        assert_eq!(actual, Some(Rejection::Signature), "{}", party.name());
    }
}

#[test]
fn the_length_has_a_bound_on_both_sides() {
    for party in Party::all() {
        let of_length = |length: usize| {
            let token = |spaces: usize, filler: usize| {
                let header = HEADER.replace(',', &format!(",{}", " ".repeat(spaces)));
                party.token(&header, and(&format!(r#""x":"{}""#, "x".repeat(filler))))
            };
            let roughly = (length - token(0, 0).len()) * 3 / 4;
            let tries =
                (0..6).flat_map(|spaces| (roughly.saturating_sub(12)..=roughly).map(move |filler| (spaces, filler)));
            tries.map(|(spaces, filler)| token(spaces, filler)).find(|token| token.len() == length).unwrap()
        };
        let cases = [(8192, Ok(())), (8193, Err(Rejection::TooLong))];
        for (length, expected) in cases {
            assert_eq!(party.verify(&of_length(length)), expected, "{}: {length}", party.name());
        }
        assert_eq!(party.verify(&"A".repeat(10_000_000)), Err(Rejection::TooLong), "{}", party.name());
    }
}

#[test]
fn required_claims_are_there_and_of_their_type() {
    let wrong = [
        ("iss", ["null", "1", "{}", r#"["https://auth.example"]"#]),
        ("sub", ["null", "1", "{}", r#"["user"]"#]),
        ("aud", ["null", "1", "{}", "[null]"]),
        ("exp", ["null", "\"1800000540\"", "{}", "[1800000540]"]),
        ("iat", ["null", "\"1799999940\"", "{}", "[1799999940]"]),
        ("jti", ["null", "1", "{}", r#"["token"]"#]),
        ("client_id", ["null", "1", "{}", r#"["web"]"#]),
        ("sid", ["null", "1", "{}", r#"["session"]"#]),
        ("ver", ["null", "\"7\"", "7.0", "-7"]),
    ];
    for party in Party::all() {
        let refuses = |name: &str, claims: String| {
            assert_eq!(party.verify(&party.token(HEADER, claims)), Err(Rejection::Claims), "{}: {name}", party.name());
        };
        for (name, values) in wrong {
            refuses(&format!("{name} missing"), without(name));
            refuses(&format!("{name} = true"), with(name, "true"));
            for value in values {
                refuses(&format!("{name} = {value}"), with(name, value));
            }
            // The same value again, before and behind, plain and escaped.
            let value = CLAIMS.iter().find(|(claim, _)| *claim == name).unwrap().1;
            refuses(&format!("{name} twice"), and(&format!(r#""{name}":{value}"#)));
            refuses(
                &format!("{name} twice, escaped"),
                and(&format!(r#""\u{:04x}{}":{value}"#, name.as_bytes()[0], &name[1..])),
            );
        }
        for name in ["sub", "sid", "jti", "client_id"] {
            refuses(&format!("{name} empty"), with(name, "\"\""));
            refuses(&format!("{name} too long"), with(name, &format!("\"{}\"", "x".repeat(257))));
            refuses(&format!("{name} too long in bytes"), with(name, &format!("\"{}x\"", "\u{e9}".repeat(128))));
            let longest = party.token(HEADER, with(name, &format!("\"{}\"", "x".repeat(256))));
            assert_eq!(party.verify(&longest), Ok(()), "{}: {name} of 256", party.name());
        }
    }
}

#[test]
fn issuer_and_audience_are_compared_whole() {
    use Rejection::{Claims, WrongAudience, WrongIssuer};
    let cases = [
        ("another issuer", with("iss", r#""https://evil.example""#), Err(WrongIssuer)),
        ("issuer empty", with("iss", r#""""#), Err(WrongIssuer)),
        ("issuer with a slash", with("iss", r#""https://auth.example/""#), Err(WrongIssuer)),
        ("issuer is longer", with("iss", r#""https://auth.example.evil.example""#), Err(WrongIssuer)),
        ("issuer is shorter", with("iss", r#""https://auth.exampl""#), Err(WrongIssuer)),
        ("issuer in another case", with("iss", r#""https://AUTH.example""#), Err(WrongIssuer)),
        ("issuer with its port", with("iss", r#""https://auth.example:443""#), Err(WrongIssuer)),
        ("issuer over http", with("iss", r#""http://auth.example""#), Err(WrongIssuer)),
        ("issuer with a space", with("iss", r#"" https://auth.example""#), Err(WrongIssuer)),
        ("issuer looks alike", with("iss", "\"https://\u{430}uth.example\""), Err(WrongIssuer)),
        ("issuer escaped", with("iss", r#""https:\/\/auth.ex\u0061mple""#), Ok(())),
        ("audience in a list", with("aud", r#"["https://api.example"]"#), Ok(())),
        ("audience first of two", with("aud", r#"["https://api.example","b"]"#), Ok(())),
        ("audience last of three", with("aud", r#"["a","b","https:\/\/api.example"]"#), Ok(())),
        ("another audience", with("aud", r#""https://other.example""#), Err(WrongAudience)),
        ("audience empty", with("aud", r#""""#), Err(WrongAudience)),
        ("no audience in the list", with("aud", "[]"), Err(WrongAudience)),
        ("others in the list", with("aud", r#"["a","b"]"#), Err(WrongAudience)),
        ("audience is longer", with("aud", r#""https://api.example/v2""#), Err(WrongAudience)),
        ("audience is shorter", with("aud", r#""https://api""#), Err(WrongAudience)),
        ("audience in another case", with("aud", r#""https://API.example""#), Err(WrongAudience)),
        ("audiences in one text", with("aud", r#""https://api.example https://b.example""#), Err(WrongAudience)),
        ("audience is the issuer", with("aud", r#""https://auth.example""#), Err(WrongAudience)),
        ("a number in the list", with("aud", r#"["https://api.example",1]"#), Err(Claims)),
        ("null in the list", with("aud", r#"[null,"https://api.example"]"#), Err(Claims)),
        ("a list in the list", with("aud", r#"[["https://api.example"]]"#), Err(Claims)),
        ("audience as names", with("aud", r#"{"https://api.example":true}"#), Err(Claims)),
    ];
    for party in Party::all() {
        for (name, claims, expected) in &cases {
            assert_eq!(party.verify(&party.token(HEADER, claims)), *expected, "{}: {name}", party.name());
        }
    }
}

#[test]
fn times_have_both_sides_of_every_edge() {
    use Rejection::{Claims, Expired, IssuedInFuture, LivesTooLong, NotYetValid};
    let exp = |json: &str| with("exp", json);
    let nbf = |json: &str| and(&format!(r#""nbf":{json}"#));
    let iat = |json: &str| with("iat", json);
    let at = |seconds: i64| NOW.checked_add_signed(seconds).unwrap().to_string();
    let life = |exp: i64| {
        object(CLAIMS.map(|(name, value)| match name {
            "iat" => (name, at(0)),
            "exp" => (name, at(exp)),
            _ => (name, value.to_owned()),
        }))
    };
    let cases = [
        ("exp in a second", exp(&at(1)), Ok(())),
        ("exp now: within the leeway", exp(&at(0)), Ok(())),
        ("exp 29 s ago: the last second of the leeway", exp(&at(-29)), Ok(())),
        ("exp 30 s ago", exp(&at(-30)), Err(Expired)),
        ("exp 31 s ago", exp(&at(-31)), Err(Expired)),
        ("exp 0", exp("0"), Err(Expired)),
        ("exp 1", exp("1"), Err(Expired)),
        ("exp -0", exp("-0"), Err(Expired)),
        ("exp negative", exp("-1"), Err(Claims)),
        ("exp -2^63", exp("-9223372036854775808"), Err(Claims)),
        ("exp 2^53", exp("9007199254740992"), Err(LivesTooLong)),
        ("exp 2^63", exp("9223372036854775808"), Err(LivesTooLong)),
        ("exp 2^64 - 1", exp("18446744073709551615"), Err(LivesTooLong)),
        ("exp 2^64", exp("18446744073709551616"), Err(Claims)),
        ("exp 1e400", exp("1e400"), Err(Claims)),
        ("exp 1e300", exp("1e300"), Err(Claims)),
        ("exp NaN", exp("NaN"), Err(Claims)),
        ("exp Infinity", exp("Infinity"), Err(Claims)),
        ("exp hexadecimal", exp("0x6b49d200"), Err(Claims)),
        ("exp with a plus", exp("+1800000540"), Err(Claims)),
        ("exp with a leading zero", exp("01800000540"), Err(Claims)),
        ("exp in milliseconds", exp("1800000540000"), Err(LivesTooLong)),
        ("exp not whole", exp("1800000540.5"), Ok(())),
        ("exp as an exponent", exp("1.8000005e9"), Ok(())),
        ("exp not whole, past", exp("1799999970.999"), Err(Expired)),
        ("exp not whole, last second", exp("1799999971.0"), Ok(())),
        ("nbf now", nbf(&at(0)), Ok(())),
        ("nbf in 30 s", nbf(&at(30)), Ok(())),
        ("nbf in 31 s", nbf(&at(31)), Err(NotYetValid)),
        ("nbf not whole", nbf("1800000031.0"), Err(NotYetValid)),
        ("nbf long ago", nbf("0"), Ok(())),
        ("nbf 2^64 - 1", nbf("18446744073709551615"), Err(NotYetValid)),
        ("nbf 2^64", nbf("18446744073709551616"), Err(Claims)),
        ("nbf negative", nbf("-1"), Err(Claims)),
        ("nbf a string", nbf("\"1800000000\""), Err(Claims)),
        ("nbf null", nbf("null"), Err(Claims)),
        ("nbf an array", nbf("[0]"), Err(Claims)),
        ("nbf false", nbf("false"), Err(Claims)),
        ("nbf twice", nbf("0,\"nbf\":0"), Err(Claims)),
        ("iat in 30 s", iat(&at(30)), Ok(())),
        ("iat in 31 s", iat(&at(31)), Err(IssuedInFuture)),
        ("iat 2^64 - 1", iat("18446744073709551615"), Err(IssuedInFuture)),
        ("iat negative", iat("-1"), Err(Claims)),
        ("iat 0", iat("0"), Err(LivesTooLong)),
        ("iat not whole", iat("1799999940.25"), Ok(())),
        ("iat after exp", iat(&at(20)).replace("1800000540", &at(10)), Ok(())),
        ("a life of an hour", life(3600), Ok(())),
        ("a life of an hour and a second", life(3601), Err(LivesTooLong)),
    ];
    for party in Party::all() {
        for (name, claims, expected) in &cases {
            let token = party.token(HEADER, claims);
            assert_eq!(party.verify(&token), *expected, "{}: {name}", party.name());
        }
    }
}

#[test]
fn a_token_dies_once_and_for_all() {
    let party = Party::new(Algorithm::HS256);
    let token = party.good();
    let end = UnixTime::from_seconds(NOW + 540) + LEEWAY;
    let cases = [
        ("minted in the future, too far", UnixTime::from_seconds(NOW - 91), Err(Rejection::IssuedInFuture)),
        ("minted in the future, by the leeway", UnixTime::from_seconds(NOW - 90), Ok(())),
        ("the last millisecond", end.before(Duration::from_millis(1)), Ok(())),
        ("the end", end, Err(Rejection::Expired)),
        ("the end of time", UnixTime::from_millis(u64::MAX), Err(Rejection::Expired)),
        ("the epoch", UnixTime::from_millis(0), Err(Rejection::IssuedInFuture)),
    ];
    for (name, now, expected) in cases {
        assert_eq!(party.verify_at(&token, now), expected, "{name}");
    }
}

#[test]
fn the_other_claims_are_checked_too() {
    use Rejection::{Claims, SenderConstrained};
    let roles = |json: &str| with("roles", json);
    let scope = |json: &str| with("scope", json);
    let value = |name: &str| CLAIMS.iter().find(|(claim, _)| *claim == name).map_or("0", |(_, value)| value);
    let order = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "sid", "roles", "ver"];
    let in_order = format!("[{}]", order.map(value).join(","));
    let escape = |name: &str| name.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<Vec<_>>().concat();
    let escaped = format!("{{{}}}", CLAIMS.map(|(name, value)| format!("\"{}\":{value}", escape(name))).join(","));
    let cases = [
        ("no roles", without("roles"), Ok(())),
        ("empty roles", roles("[]"), Ok(())),
        ("a role with a space", roles(r#"["customer admin"]"#), Err(Claims)),
        ("a role that ends in a space", roles(r#"["admin "]"#), Err(Claims)),
        ("an empty role", roles(r#"[""]"#), Err(Claims)),
        ("a role with a quote", roles(r#"["a\"b"]"#), Err(Claims)),
        ("a role with a line break", roles(r#"["a\nb"]"#), Err(Claims)),
        ("roles in one text", roles(r#""customer""#), Err(Claims)),
        ("roles null", roles("null"), Err(Claims)),
        ("a number among the roles", roles(r#"["customer",1]"#), Err(Claims)),
        ("roles twice", and(r#""roles":[]"#), Err(Claims)),
        ("no scope", without("scope"), Ok(())),
        ("empty scope", scope(r#""""#), Ok(())),
        ("two spaces in the scope", scope(r#""a  b""#), Err(Claims)),
        ("a space before the scope", scope(r#"" a""#), Err(Claims)),
        ("a space behind the scope", scope(r#""a ""#), Err(Claims)),
        ("a tab in the scope", scope(r#""a\tb""#), Err(Claims)),
        ("a quote in the scope", scope(r#""a\"b""#), Err(Claims)),
        ("a backslash in the scope", scope(r#""a\\b""#), Err(Claims)),
        ("no ASCII in the scope", scope("\"caf\u{e9}\""), Err(Claims)),
        ("scope a list", scope(r#"["orders:read"]"#), Err(Claims)),
        ("scope null", scope("null"), Err(Claims)),
        ("scope twice", and(r#""scope":"admin""#), Err(Claims)),
        (
            "bound to a key",
            and(r#""cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#),
            Err(SenderConstrained),
        ),
        ("bound to a certificate", and(r#""cnf":{"x5t#S256":"AAAA"}"#), Err(SenderConstrained)),
        ("bound to nothing", and(r#""cnf":{}"#), Err(SenderConstrained)),
        ("bound to null", and(r#""cnf":null"#), Err(SenderConstrained)),
        ("bound twice", and(r#""cnf":{},"cnf":{}"#), Err(Claims)),
        ("ver 2^64", with("ver", "18446744073709551616"), Err(Claims)),
        ("ver 2^64 - 1", with("ver", "18446744073709551615"), Ok(())),
        ("odd text in sub", with("sub", r#""a\u0000\n*?${x}<script>""#), Ok(())),
        ("half a character in sub", with("sub", r#""\ud800""#), Err(Claims)),
        ("all names escaped", escaped, Ok(())),
        ("a name escaped", claims().replace("\"sub\"", r#""\u0073ub""#), Ok(())),
        ("sub twice, once escaped", and(r#""\u0073ub":"mallory""#), Err(Claims)),
        ("unknown claims", and(r#""nonce":"n","amr":["pwd"],"x":null,"":1.5e3"#), Ok(())),
        ("an unknown claim twice", and(r#""x":1,"x":2"#), Ok(())),
        (
            "white space",
            claims()
                .replace(',', " ,\n\t")
                .replace(':', " : ")
                .replace("https : ", "https:")
                .replace("orders : ", "orders:"),
            Ok(()),
        ),
        ("claims as an array, in the order of our struct", in_order, Err(Claims)),
        ("claims in an array", format!("[{}]", claims()), Err(Claims)),
        ("claims null", "null".to_owned(), Err(Claims)),
        ("claims a text", "\"claims\"".to_owned(), Err(Claims)),
        ("no claim at all", "{}".to_owned(), Err(Claims)),
        ("two objects", claims() + &claims(), Err(Claims)),
        ("not terminated", claims().replace('}', ""), Err(Claims)),
        ("a trailing comma", claims().replace('}', ",}"), Err(Claims)),
        ("a byte order mark", format!("\u{feff}{}", claims()), Err(Claims)),
        ("a raw line break in a text", with("sub", "\"a\nb\""), Err(Claims)),
    ];
    for party in Party::all() {
        for (name, claims, expected) in &cases {
            assert_eq!(party.verify(&party.token(HEADER, claims)), *expected, "{}: {name}", party.name());
        }
        for (name, raw) in [("0xff", &b"\xff"[..]), ("overlong", b"\xc0\xaf"), ("half of a pair", b"\xed\xa0\x80")] {
            let start = claims().strip_suffix('}').unwrap().to_owned().into_bytes();
            let claims = [&start[..], b",\"x\":\"", raw, b"\"}"].concat();
            let token = party.token(HEADER, claims);
            assert_eq!(party.verify(&token), Err(Rejection::Claims), "{}: {name} in an ignored claim", party.name());
        }
    }
}

/// A user's token has a session, a client's own has none; one of somebody who acts for a user says for whom and under which
/// session. Nothing in between is believed.
#[test]
fn a_token_is_a_users_or_a_clients_or_one_that_was_exchanged() {
    let but = |without: &[&str], more: &[(&str, &str)]| {
        let others =
            CLAIMS.into_iter().filter(|(name, _)| !without.contains(name) && more.iter().all(|it| it.0 != *name));
        object(others.chain(more.iter().copied()).map(|(name, value)| (name, value.to_owned())))
    };
    let (user, web) = (["sid", "ver", "roles"], ("sub", r#""web""#));
    let (act, parent) = (("act", r#"{"sub":"agent"}"#), ("parent_sid", r#""parent""#));
    let long = format!("\"{}\"", "x".repeat(257));
    let cases = [
        ("a client's own", but(&user, &[web]), Ok(())),
        ("with an empty list of roles", but(&user, &[web, ("roles", "[]")]), Ok(())),
        ("of another subject", but(&user, &[]), Err(Rejection::Claims)),
        ("with roles", but(&["sid", "ver"], &[web]), Err(Rejection::Claims)),
        ("a session without a version", but(&["ver", "roles"], &[web]), Err(Rejection::Claims)),
        ("a version without a session", but(&["sid", "roles"], &[web]), Err(Rejection::Claims)),
        ("a client that acts for itself", but(&user, &[web, act, parent]), Err(Rejection::Claims)),
        ("exchanged", but(&[], &[act, parent]), Ok(())),
        ("more about who acts", but(&[], &[("act", r#"{"iss":"x","sub":"agent"}"#), parent]), Ok(())),
        ("acting, under no session", but(&[], &[act]), Err(Rejection::Claims)),
        ("nobody acts", but(&[], &[parent]), Err(Rejection::Claims)),
        ("exchanged twice", but(&[], &[("act", r#"{"sub":"a","act":{"sub":"b"}}"#), parent]), Err(Rejection::Claims)),
        ("act null", but(&[], &[("act", "null"), parent]), Err(Rejection::Claims)),
        ("act a text", but(&[], &[("act", r#""agent""#), parent]), Err(Rejection::Claims)),
        ("act an array", but(&[], &[("act", r#"["agent"]"#), parent]), Err(Rejection::Claims)),
        ("act of nobody", but(&[], &[("act", "{}"), parent]), Err(Rejection::Claims)),
        ("act of an empty name", but(&[], &[("act", r#"{"sub":""}"#), parent]), Err(Rejection::Claims)),
        ("act twice", but(&[], &[act, parent, act]), Err(Rejection::Claims)),
        ("who acts named twice", but(&[], &[("act", r#"{"sub":"a","sub":"b"}"#), parent]), Err(Rejection::Claims)),
        ("parent_sid null", but(&[], &[act, ("parent_sid", "null")]), Err(Rejection::Claims)),
        ("parent_sid empty", but(&[], &[act, ("parent_sid", r#""""#)]), Err(Rejection::Claims)),
        ("parent_sid too long", but(&[], &[act, ("parent_sid", &long)]), Err(Rejection::Claims)),
    ];
    for party in Party::all() {
        for (name, claims, expected) in &cases {
            assert_eq!(party.verify(&party.token(HEADER, claims)), *expected, "{}: {name}", party.name());
        }
    }
    let party = &Party::all()[0];
    let claims = |json: String| party.verifier.verify(&party.token(HEADER, json), UnixTime::from_seconds(NOW)).unwrap();
    let own = claims(but(&user, &[web]));
    assert_eq!((own.sub.as_str(), own.session, own.roles.is_empty()), ("web", None, true));
    let exchanged = claims(but(&[], &[act, parent]));
    let delegation = exchanged.delegation().unwrap();
    assert_eq!(
        (exchanged.sid(), delegation.actor.as_str(), delegation.parent_sid.as_str()),
        (Some("session"), "agent", "parent")
    );
}

#[test]
fn the_first_failure_in_the_order_of_the_checks_is_told() {
    let party = Party::new(Algorithm::ES256);
    let expired = party.token(HEADER, with("exp", "0"));
    let (message, _) = expired.rsplit_once('.').unwrap();
    // A forged token tells nothing of what it claims, and a header that is not ours is not checked against any key.
    assert_eq!(party.verify(&format!("{message}.AAAA")), Err(Rejection::Signature));
    let header = encode(party.fill(r#"{"typ":"JWT","alg":"none","kid":"x"}"#));
    assert_eq!(party.verify(&format!("{header}.!.!")), Err(Rejection::Header));
}

/// Operators search for them, and metrics count by them.
#[test]
fn the_log_tells_reasons_by_these_names() {
    let reasons = [
        (Rejection::TooLong, "malformed"),
        (Rejection::NotCompact, "malformed"),
        (Rejection::Header, "malformed"),
        (Rejection::Claims, "malformed"),
        (Rejection::WrongType, "wrong_type"),
        (Rejection::UnknownKey, "unknown_key"),
        (Rejection::WrongAlgorithm, "wrong_algorithm"),
        (Rejection::Signature, "wrong_signature"),
        (Rejection::WrongIssuer, "wrong_issuer"),
        (Rejection::WrongAudience, "wrong_audience"),
        (Rejection::Expired, "expired"),
        (Rejection::NotYetValid, "not_yet_valid"),
        (Rejection::IssuedInFuture, "not_yet_valid"),
        (Rejection::LivesTooLong, "lives_too_long"),
        (Rejection::SenderConstrained, "sender_constrained"),
    ];
    for (rejection, name) in reasons {
        assert_eq!(rejection.reason(), name, "{rejection:?}");
    }
}

/// Whether the signature layer believes a JWS that is no access token: the verifier's own decoding, choice of the key and check,
/// without `typ`, which published vectors do not have. `unnamed` is the key where the header names none.
fn believes(keys: &Value, token: &str, unnamed: Option<&str>) -> bool {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Header {
        #[serde(rename = "typ")]
        _typ: Option<String>,
        #[serde(deserialize_with = "name")]
        alg: Algorithm,
        kid: Option<String>,
    }
    let check = || {
        let verifier = Verifier::new("joe".to_owned(), "api".to_owned(), KeySet::parse(&keys.to_string()).ok()?);
        // None of them is an access token.
        assert!(verifier.verify(token, UnixTime::from_seconds(1_300_000_000)).is_err(), "{token}");
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header: Header = read(&decode(header).ok()?)?;
        let key = verifier.key_of(header.kid.as_deref().or(unnamed)?, header.alg).ok()?;
        authentic(key, message, claims, signature).ok()
    };
    check().is_some()
}

#[test]
fn the_tokens_of_rfc_7515_and_8037() {
    let file: Value = serde_json::from_str(include_str!("../../../../tests/vectors/rfc.json")).unwrap();
    let rows = file["signatures"].as_array().unwrap();
    let (keys, part) = (
        |at: usize| json!({"keys": [rows[at]["jwk"]]}),
        |at: usize, part| rows[at]["jws"].as_str().unwrap().split('.').nth(part).unwrap(),
    );
    let [protected, payload, signature] = [0, 1, 2];
    // A.5: the claims of A.1, and nobody's signature.
    let unsecured = format!("{}.{}.", encode(r#"{"alg":"none"}"#), part(0, payload));
    // A.6 and A.7: those of A.2 and A.3 as JSON.
    let signed =
        |at| json!({"protected": part(at, protected), "header": {"kid": "key"}, "signature": part(at, signature)});
    let general = json!({"payload": part(1, payload), "signatures": [signed(1), signed(2)]});
    let mut flattened = signed(2);
    flattened["payload"] = part(2, payload).into();
    for (at, row) in rows.iter().enumerate() {
        let token = row["jws"].as_str().unwrap();
        assert!(believes(&keys(at), token, Some("key")), "{}", row["name"]);
        assert!(!believes(&keys(at), token, None), "{}: a key is named", row["name"]);
        for other in (0..rows.len()).filter(|other| *other != at) {
            assert!(!believes(&keys(other), token, Some("key")), "{}: under {}", row["name"], rows[other]["name"]);
        }
        for (name, token) in [("A.5", &unsecured), ("A.6", &general.to_string()), ("A.7", &flattened.to_string())] {
            assert!(!believes(&keys(at), token, Some("key")), "{name} under {}", row["name"]);
        }
    }
}

#[test]
fn wycheproof_jws() {
    let file: Value = serde_json::from_str(include_str!("../../../../tests/vectors/wycheproof-jws.json")).unwrap();
    for group in file["groups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let name = format!("{} {} {}", group["comment"], test["tcId"], test["comment"]);
            let token = test["jws"].as_str().unwrap();
            assert_eq!(believes(&group["jwks"], token, None), test["result"] == "valid", "{name}");
        }
    }
}

/// One change of a text.
#[derive(Clone, Debug)]
enum Mutation {
    Replace(usize, char),
    Insert(usize, char),
    Remove(usize),
    Swap(usize, usize),
    Cut(usize),
    Double(usize, usize),
}

impl Mutation {
    fn apply(&self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        let length = chars.len();
        match *self {
            Self::Replace(at, with) => chars[at % length] = with,
            Self::Insert(at, what) => chars.insert(at % (length + 1), what),
            Self::Remove(at) => drop(chars.remove(at % length)),
            Self::Swap(a, b) => chars.swap(a % length, b % length),
            Self::Cut(at) => chars.truncate(at % length),
            Self::Double(from, count) => {
                let from = from % length;
                let piece: Vec<char> = chars[from..length.min(from + count % 50)].to_vec();
                chars.splice(from..from, piece);
            }
        }
        chars.into_iter().collect()
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let sign = prop_oneof![8 => proptest::char::ranges(vec!['-'..='-', '_'..='_', '.'..='.', '0'..='9', 'A'..='Z', 'a'..='z'].into()), 1 => any::<char>()];
    prop_oneof![
        4 => (any::<usize>(), sign.clone()).prop_map(|(at, with)| Mutation::Replace(at, with)),
        2 => (any::<usize>(), sign).prop_map(|(at, what)| Mutation::Insert(at, what)),
        2 => any::<usize>().prop_map(Mutation::Remove),
        2 => any::<(usize, usize)>().prop_map(|(a, b)| Mutation::Swap(a, b)),
        1 => any::<usize>().prop_map(Mutation::Cut),
        1 => any::<(usize, usize)>().prop_map(|(from, count)| Mutation::Double(from, count)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_changed_token_is_refused(mutations in proptest::collection::vec(mutation(), 1..4)) {
        for party in Party::all() {
            let good = party.good();
            let changed = mutations.iter().fold(good.clone(), |text, mutation| {
                if text.is_empty() { text } else { mutation.apply(&text) }
            });
            prop_assert_eq!(party.verify(&changed).is_ok(), changed == good, "{}: {}", party.name(), changed);
        }
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let party = Party::new(Algorithm::EdDSA);
        let (header, bytes) = (encode(party.fill(HEADER)), encode(bytes));
        for token in [
            text.clone(),
            format!("{text}.{text}.{text}"),
            format!("{header}.{text}.{text}"),
            format!("{bytes}.{bytes}.{bytes}"),
            format!("{header}.{bytes}.{bytes}"),
        ] {
            prop_assert!(party.verify(&token).is_err(), "{token}");
        }
    }

    #[test]
    fn signed_nonsense_is_refused_without_a_panic(
        header in any::<String>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        mutations in proptest::collection::vec(mutation(), 1..4),
    ) {
        let party = Party::new(Algorithm::HS256);
        prop_assert!(party.verify(&party.token(&header, claims())).is_err());
        prop_assert_eq!(party.verify(&party.token(HEADER, bytes)), Err(Rejection::Claims));
        // Changed claims may well be good ones; whatever they are, each check holds of what is believed.
        let claims = mutations.iter().fold(claims(), |text, mutation| if text.is_empty() { text } else { mutation.apply(&text) });
        if let Ok(believed) = party.verifier.verify(&party.token(HEADER, claims), UnixTime::from_seconds(NOW)) {
            prop_assert!(UnixTime::from_seconds(NOW) < believed.exp + LEEWAY);
            prop_assert!(believed.exp.since(believed.iat) <= ACCESS_TTL_BOUNDS.1);
            prop_assert!(!believed.sub.is_empty() && !believed.jti.is_empty() && believed.sid() != Some(""));
        }
    }
}
