use serde_json::json;

use super::*;
use crate::test_keys;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const ISS: &str = "https://idp.example/";
const ALL: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// An issuer with a key of each kind, and whatever else its terms say.
fn verifier(members: &Value) -> ForeignVerifier {
    let mut terms = json!({
        "issuer": ISS,
        "audience": ["https://api.example", "api"],
        "algorithms": ["RS256", "ES256", "EdDSA"],
        "jwks_uri": "https://idp.example/keys",
    });
    terms.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let terms = terms::parse(&json!([terms]).to_string(), "https://auth.example").unwrap().remove(0);
    ForeignVerifier::new(Arc::new(terms), jwks().as_bytes()).unwrap()
}

fn jwks() -> String {
    json!({"keys": ALL.map(jwk)}).to_string()
}

fn jwk(algorithm: Algorithm) -> Value {
    let mut jwk = serde_json::to_value(test_keys::signing_key(algorithm).jwk()).unwrap();
    jwk["kid"] = format!("{algorithm:?}").into();
    jwk
}

fn header(algorithm: Algorithm) -> Value {
    json!({"alg": format!("{algorithm:?}"), "kid": format!("{algorithm:?}"), "typ": "JWT"})
}

fn claims() -> Value {
    let now = NOW.seconds();
    json!({"iss": ISS, "aud": "api", "sub": "alice", "iat": now, "exp": now + 600, "scope": "read write", "jti": "1"})
}

/// The same but for these members; those that are `"absent"` are not there.
fn changed(mut object: Value, members: &Value) -> Value {
    let changes = members.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(changes);
    object.as_object_mut().unwrap().retain(|_, value| value != "absent");
    object
}

fn sign(algorithm: Algorithm, header: &str, claims: &str) -> String {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let signature = test_keys::signing_key(algorithm).sign(message.as_bytes()).unwrap();
    format!("{message}.{}", encode(&signature))
}

fn token(header: &Value, claims: &Value) -> String {
    sign(Algorithm::EdDSA, &header.to_string(), &claims.to_string())
}

/// What becomes of a good token with these claims changed.
fn judged(terms: &Value, members: &Value) -> Result<ForeignClaims, Rejection> {
    verifier(terms).verify(&token(&header(Algorithm::EdDSA), &changed(claims(), members)), NOW)
}

#[test]
fn a_good_token_of_each_algorithm_tells_its_claims() {
    for algorithm in ALL {
        let token = sign(algorithm, &header(algorithm).to_string(), &claims().to_string());
        let believed = verifier(&json!({})).verify(&token, NOW).unwrap();
        let expected = ForeignClaims {
            iss: ISS.to_owned(),
            sub: "alice".to_owned(),
            client_id: None,
            scope: Scope::parse("read write").unwrap(),
            roles: Roles::default(),
            jti: Some("1".to_owned()),
            exp: UnixTime::from_seconds(1_800_000_600),
        };
        assert_eq!(believed, expected, "{algorithm:?}");
        assert_eq!(unverified_issuer(&token).as_deref(), Ok(ISS));
    }
}

#[test]
fn headers_are_judged_before_anything_is_looked_up() {
    use Rejection::{Header, UnknownKey, WrongAlgorithm, WrongType};
    let cases = [
        ("another member", json!({"x5t": "abc", "nonce": "n", "cty": "x"}), Ok(())),
        ("an access token", json!({"typ": "at+jwt"}), Ok(())),
        ("in its long form", json!({"typ": "application/AT+JWT"}), Ok(())),
        ("no type", json!({"typ": "absent"}), Err(WrongType)),
        ("another type", json!({"typ": "logout+jwt"}), Err(WrongType)),
        ("a type that is none", json!({"typ": 1}), Err(Header)),
        ("no key", json!({"kid": "absent"}), Err(Header)),
        ("a key that is no text", json!({"kid": 1}), Err(Header)),
        ("another key", json!({"kid": "other"}), Err(UnknownKey)),
        ("no algorithm", json!({"alg": "absent"}), Err(Header)),
        ("none", json!({"alg": "none"}), Err(WrongAlgorithm)),
        ("the algorithm of another key", json!({"alg": "RS256"}), Err(WrongAlgorithm)),
        ("a shared one", json!({"alg": "HS256"}), Err(WrongAlgorithm)),
        ("one of the same family", json!({"alg": "ES384", "kid": "other"}), Err(WrongAlgorithm)),
        ("an unknown one", json!({"alg": "ML-DSA-44", "kid": "other"}), Err(WrongAlgorithm)),
        ("crit", json!({"crit": ["exp"]}), Err(Header)),
        ("b64", json!({"b64": true}), Err(Header)),
        ("zip", json!({"zip": "DEF"}), Err(Header)),
        ("jwk", json!({"jwk": jwk(Algorithm::EdDSA)}), Err(Header)),
        ("jku", json!({"jku": "https://idp.example/keys"}), Err(Header)),
        ("x5u", json!({"x5u": "https://idp.example/cert"}), Err(Header)),
        ("x5c", json!({"x5c": []}), Err(Header)),
        ("enc", json!({"enc": "A256GCM"}), Err(Header)),
    ];
    for (name, members, expected) in cases {
        let header = changed(header(Algorithm::EdDSA), &members);
        let judged = verifier(&json!({})).verify(&token(&header, &claims()), NOW);
        assert_eq!(judged.map(drop), expected, "{name}");
    }
    let es256 = verifier(&json!({"algorithms": ["ES256"]}));
    let rs256 = sign(Algorithm::RS256, &header(Algorithm::RS256).to_string(), &claims().to_string());
    assert_eq!(es256.verify(&rs256, NOW), Err(WrongAlgorithm), "a key of theirs, for what is not wanted");
}

#[test]
fn the_terms_say_which_types_there_are() {
    let cases = [
        (json!([null]), json!("absent"), true),
        (json!([null]), json!("JWT"), false),
        (json!(["JWT", null]), json!("absent"), true),
        (json!(["at+jwt"]), json!("JWT"), false),
        (json!(["at+jwt"]), json!("at+jwt"), true),
    ];
    for (types, typ, good) in cases {
        let header = changed(header(Algorithm::EdDSA), &json!({ "typ": typ }));
        let judged = verifier(&json!({ "types": types })).verify(&token(&header, &claims()), NOW);
        assert_eq!(judged.err(), (!good).then_some(Rejection::WrongType), "{types} {typ}");
    }
}

#[test]
fn claims_are_refused_each_for_its_reason() {
    use Rejection::{
        Claims, Expired, IssuedInFuture, LivesTooLong, NotYetValid, SenderConstrained, WrongAudience, WrongIssuer,
    };
    let now = NOW.seconds();
    let long = "x".repeat(257);
    let cases = [
        ("no issuer", json!({"iss": "absent"}), Claims),
        ("another issuer", json!({"iss": "https://idp.example"}), WrongIssuer),
        ("our own", json!({"iss": "https://auth.example"}), WrongIssuer),
        ("a list of issuers", json!({"iss": [ISS]}), Claims),
        ("no audience", json!({"aud": "absent"}), WrongAudience),
        ("another audience", json!({"aud": "API"}), WrongAudience),
        ("other audiences", json!({"aud": ["x", "apis"]}), WrongAudience),
        ("no audience in the list", json!({"aud": []}), WrongAudience),
        ("an audience that is none", json!({"aud": [1, "api"]}), Claims),
        ("an audience in an object", json!({"aud": {"api": "api"}}), Claims),
        ("no expiry", json!({"exp": "absent"}), Claims),
        ("an expiry in words", json!({"exp": (now + 600).to_string()}), Claims),
        ("null for an expiry", json!({"exp": null}), Claims),
        ("an expiry before 1970", json!({"exp": -1}), Claims),
        ("expired", json!({"exp": now - 30}), Expired),
        ("not yet valid", json!({"nbf": now + 31}), NotYetValid),
        ("a start in words", json!({"nbf": "soon"}), Claims),
        ("issued in the future", json!({"iat": now + 31}), IssuedInFuture),
        ("null for an issue", json!({"iat": null}), Claims),
        ("for too long", json!({"exp": now + 86_401}), LivesTooLong),
        ("for too long, since whenever", json!({"exp": now + 86_401, "iat": "absent"}), LivesTooLong),
        ("for ever", json!({"exp": 9_007_199_254_740_991_u64}), LivesTooLong),
        ("bound to a key", json!({"cnf": {"jkt": "x"}}), SenderConstrained),
        ("bound to null", json!({"cnf": null}), SenderConstrained),
        ("no subject", json!({"sub": "absent"}), Claims),
        ("an empty subject", json!({"sub": ""}), Claims),
        ("a long subject", json!({ "sub": long }), Claims),
        ("a number for a subject", json!({"sub": 7}), Claims),
        ("two lines of subject", json!({"sub": "a\nb"}), Claims),
        ("a client that is none", json!({"client_id": ["x"]}), Claims),
        ("an empty client", json!({"client_id": ""}), Claims),
        ("a long identifier", json!({ "jti": long }), Claims),
        ("a scope that is none", json!({"scope": 1}), Claims),
        ("a scope of numbers", json!({"scope": ["a", 1]}), Claims),
        ("null for a scope", json!({"scope": null}), Claims),
    ];
    for (name, members, expected) in cases {
        assert_eq!(judged(&json!({}), &members), Err(expected), "{name}");
    }
}

#[test]
fn what_is_on_the_good_side_of_each_edge_is_believed() {
    let now = NOW.seconds();
    let longest = "x".repeat(256);
    let cases = [
        ("just not expired", json!({"exp": now - 29})),
        ("just valid", json!({"nbf": now + 30})),
        ("just issued", json!({"iat": now + 30})),
        ("no instant of issue", json!({"iat": "absent", "exp": now + 86_400})),
        ("the longest life", json!({"exp": now + 86_400})),
        ("a fraction of a second", json!({"exp": 1_800_000_600.5})),
        ("several audiences", json!({"aud": ["x", "https://api.example"]})),
        ("the longest names", json!({"sub": longest, "jti": longest, "client_id": longest})),
        ("no identifier", json!({"jti": "absent"})),
        ("names that would mean something elsewhere", json!({"sub": "auth0|a*/?${x}\"é"})),
        ("another claim, as deep as it likes", json!({"x": {"scope": {"a": [[1]]}}, "sid": 1, "ver": {}})),
    ];
    for (name, members) in cases {
        assert!(judged(&json!({}), &members).is_ok(), "{name}");
    }
    assert_eq!(
        judged(&json!({"max_life_seconds": 600}), &json!({"exp": now + 601})),
        Err(Rejection::LivesTooLong),
        "the terms bound it"
    );
}

#[test]
fn rights_are_mapped() {
    let cases = [
        ("as it is", json!({}), json!({"roles": ["admin"]}), ("read write", "")),
        ("no scope", json!({}), json!({"scope": "absent"}), ("", "")),
        ("a list", json!({}), json!({"scope": ["a", "b c"]}), ("a b c", "")),
        ("another claim", json!({"claims": {"scope": "scp"}}), json!({"scp": "x"}), ("x", "")),
        (
            "roles by name",
            json!({"claims": {"roles": "g:x"}}),
            json!({"g:x": ["a", "b c", "d"]}),
            ("read write", "a d"),
        ),
        (
            "roles on a way",
            json!({"claims": {"roles": ["realm_access", "roles"]}}),
            json!({"realm_access": {"roles": ["a"]}}),
            ("read write", "a"),
        ),
        ("one role", json!({"claims": {"roles": "role"}}), json!({"role": "org admin"}), ("read write", "")),
        (
            "one role, translated",
            json!({"claims": {"roles": "role"}, "roles": {"org admin": "admin"}}),
            json!({"role": "org admin"}),
            ("read write", "admin"),
        ),
        (
            "scopes, translated",
            json!({"scopes": {"read": "orders:read", "all": "x y"}}),
            json!({"scope": "read write all read"}),
            ("orders:read x y", ""),
        ),
    ];
    for (name, terms, members, (scope, roles)) in cases {
        let believed = judged(&terms, &members).unwrap();
        assert_eq!((believed.scope.as_str(), believed.roles.as_str()), (scope, roles), "{name}");
    }
    let azp = json!({"claims": {"client_id": "azp"}});
    assert_eq!(judged(&azp, &json!({"azp": "app", "client_id": 1})).unwrap().client_id.as_deref(), Some("app"));
    let roles = json!({"claims": {"roles": "groups"}});
    assert_eq!(judged(&roles, &json!({"groups": {"admin": true}})), Err(Rejection::Claims));
    let many: Vec<String> = (0..480).map(|at| format!("role-{at}")).collect();
    assert_eq!(
        judged(&roles, &json!({"groups": many, "scope": ""})),
        Err(Rejection::Claims),
        "more than 4 KB of rights"
    );
}

#[test]
fn a_token_of_another_kind_is_refused() {
    let terms = json!({"require": {"token_use": "access"}, "claims": {"aud": "client_id"}});
    let access = json!({"token_use": "access", "client_id": "api", "aud": "absent"});
    assert_eq!(judged(&terms, &access).unwrap().client_id.as_deref(), Some("api"));
    let cases = [
        (json!({"token_use": "id", "client_id": "api"}), Rejection::WrongType),
        (json!({"client_id": "api"}), Rejection::WrongType),
        (json!({"token_use": ["access"], "client_id": "api"}), Rejection::WrongType),
        (json!({"token_use": "access"}), Rejection::WrongAudience),
    ];
    for (members, expected) in cases {
        assert_eq!(judged(&terms, &members), Err(expected), "{members}");
    }
    let clients = json!({"require": {"azp": ["web", "app"]}});
    for (azp, good) in [("web", true), ("app", true), ("other", false), ("web app", false)] {
        assert_eq!(judged(&clients, &json!({ "azp": azp })).is_ok(), good, "{azp}");
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let good = token(&header(Algorithm::EdDSA), &claims());
    let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let (h, c) = (header(Algorithm::EdDSA).to_string(), claims().to_string());
    let with = |name: &str, text: &str| text.replacen('{', &format!("{{{name},"), 1);
    let signed = |header: &str, claims: &str| sign(Algorithm::EdDSA, header, claims);
    let other = sign(Algorithm::RS256, &h, &c);
    let cases = [
        ("empty", String::new(), Rejection::NotCompact),
        ("two parts", format!("{head}.{body}"), Rejection::NotCompact),
        ("four parts", format!("{good}.x"), Rejection::NotCompact),
        ("five parts", format!("{good}.x.y"), Rejection::NotCompact),
        ("padding", format!("{head}=.{body}.{signature}"), Rejection::NotCompact),
        ("a line break", format!("{head}.{body}.{signature}\n"), Rejection::NotCompact),
        ("too long", format!("{good}{}", "A".repeat(MAX_READ_LENGTH)), Rejection::TooLong),
        ("another signature", format!("{head}.{body}.{}", other.rsplit_once('.').unwrap().1), Rejection::Signature),
        ("no signature", format!("{head}.{body}."), Rejection::Signature),
        ("a long signature", format!("{head}.{body}.{}", "A".repeat(1400)), Rejection::Signature),
        ("claims of another token", format!("{head}.{}.{signature}", body.replacen('e', "f", 1)), Rejection::Signature),
        ("a doubled member of the header", signed(&with(r#""kid":"x""#, &h), &c), Rejection::Header),
        ("another doubled member", signed(&with(r#""x":1,"x":1"#, &h), &c), Rejection::Header),
        ("a header that is a list", signed("[]", &c), Rejection::Header),
        ("a doubled claim", signed(&h, &with(r#""sub":"bob""#, &c)), Rejection::Claims),
        ("another doubled claim", signed(&h, &with(r#""x":{"y":1,"y":2}"#, &c)), Rejection::Claims),
        ("claims that are a list", signed(&h, "[]"), Rejection::Claims),
        ("claims that are a token", signed(&h, &format!("\"{good}\"")), Rejection::Claims),
        ("claims without end", signed(&h, &"[".repeat(5000)), Rejection::Claims),
    ];
    for (name, token, expected) in cases {
        assert_eq!(verifier(&json!({})).verify(&token, NOW), Err(expected), "{name}");
    }
}

#[test]
fn whoever_is_named_twice_or_not_at_all_issued_nothing() {
    let c = claims().to_string();
    let twice = c.replacen('{', r#"{"iss":"https://other.example","#, 1);
    let none = changed(claims(), &json!({"iss": "absent"})).to_string();
    let number = changed(claims(), &json!({"iss": 1})).to_string();
    for claims in [twice.as_str(), &none, &number, "[]", "{"] {
        assert_eq!(unverified_issuer(&sign(Algorithm::EdDSA, "{}", claims)), Err(Rejection::Claims), "{claims:.40}");
    }
    for token in ["", "a.b", "a.=.c", "\u{e9}.\u{e9}.\u{e9}"] {
        assert_eq!(unverified_issuer(token), Err(Rejection::NotCompact), "{token}");
    }
    assert_eq!(unverified_issuer(&"a".repeat(MAX_READ_LENGTH + 1)), Err(Rejection::TooLong));
}

#[test]
fn the_life_of_a_token_ends_once_and_for_all() {
    let verifier = verifier(&json!({}));
    let token = token(&header(Algorithm::EdDSA), &claims());
    for (after, good) in [(0, true), (629, true), (630, false), (86_400, false)] {
        let judged = verifier.verify(&token, NOW + std::time::Duration::from_secs(after));
        assert_eq!(judged.err(), (!good).then_some(Rejection::Expired), "{after} s");
    }
}
