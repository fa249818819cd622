//! The token endpoint: every malformed request has its error, and a client gets what it may have and no more.

use std::time::Duration;

use auth_core::client::{Client, ClientId, ClientSecret, Grants};
use auth_core::entropy::OsEntropy;
use auth_core::scope::Scope;
use auth_dynamodb::client::{Creation, Replacement};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::delegation::is_refused;
use crate::harness::{Answer, Api, RESTED, START};
use crate::revocation::SEEN;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A client, and its secret.
pub(crate) struct Party {
    pub(crate) client: Client,
    pub(crate) secret: String,
}

impl Party {
    /// A new client that may do this, for this scope at most.
    pub(crate) async fn new(api: &Api, id: &str, grants: &str, scope: &str) -> Self {
        Self::with_life(api, id, grants, scope, None).await
    }

    pub(crate) async fn with_life(api: &Api, id: &str, grants: &str, scope: &str, life: Option<Duration>) -> Self {
        let secret = ClientSecret::random(&OsEntropy).unwrap();
        let client = Client {
            grants: Grants::parse(grants).unwrap(),
            scope: Scope::parse(scope).unwrap(),
            token_life: life,
            ..Client::new(ClientId::parse(id).unwrap(), secret.digest(), START)
        };
        assert_eq!(api.store.create_client(&client).await.unwrap(), Creation::Created);
        Self { client, secret: secret.text().to_string() }
    }

    fn basic(&self) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", self.client.id, self.secret)))
    }

    /// A request to the token endpoint, with the credentials in the header field.
    pub(crate) async fn ask(&self, api: &Api, form: &str) -> Answer {
        let basic = self.basic();
        api.send(Method::POST, "/oauth/token", &[FORM, ("authorization", &basic)], form.as_bytes()).await
    }

    pub(crate) async fn own_token(&self, api: &Api) -> String {
        access_token(&self.ask(api, "grant_type=client_credentials").await)
    }

    pub(crate) async fn exchange(&self, api: &Api, subject_token: &str, more: &str) -> Answer {
        self.ask(api, &format!("{}{more}", exchange(subject_token))).await
    }
}

/// A form that asks for an exchange.
pub(crate) fn exchange(subject_token: &str) -> String {
    format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange\
         &subject_token_type={ACCESS_TOKEN}&subject_token={subject_token}"
    )
}

pub(crate) fn access_token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// What a token says.
pub(crate) fn claims(token: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// The status and the code of an answer.
fn refusal(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    assert_eq!(answer.header("www-authenticate").is_some(), answer.status == 401, "{answer:?}");
    (answer.status.as_u16(), answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_grant_request_gets_its_error() {
    let api = Api::start().await;
    let user = api.login().await;
    let all = Party::new(&api, "all", "client_credentials token_exchange", "profile").await;
    let asker = Party::new(&api, "asker", "introspect", "profile notes").await;
    let nothing = Party::new(&api, "nothing", "", "profile").await;
    let own = all.own_token(&api).await;
    let exchanged = access_token(&all.exchange(&api, &user.access, "").await);
    let (ex, cc) = (exchange(&user.access), "grant_type=client_credentials".to_owned());
    let but = |with: &str, instead: &str| ex.replace(with, instead);
    let (request, scope, target) = ((400, "invalid_request"), (400, "invalid_scope"), (400, "invalid_target"));
    let unauthorized = (400, "unauthorized_client");
    let cases = [
        ("no grant type", &all, "scope=profile".to_owned(), request),
        ("an empty one", &all, "grant_type=".to_owned(), request),
        ("another one", &all, "grant_type=password&username=a&password=b".to_owned(), (400, "unsupported_grant_type")),
        ("in another case", &all, "grant_type=Client_Credentials".to_owned(), (400, "unsupported_grant_type")),
        ("twice", &all, format!("{cc}&{cc}"), request),
        ("own: a malformed scope", &all, format!("{cc}&scope=a%22b"), scope),
        ("own: two spaces", &all, format!("{cc}&scope=a++b"), scope),
        ("own: a wider scope", &all, format!("{cc}&scope=profile+notes"), scope),
        ("own: not for this client", &asker, cc.clone(), unauthorized),
        ("own: a client that may nothing", &nothing, cc.clone(), unauthorized),
        ("exchange: not for this client", &asker, ex.clone(), unauthorized),
        ("exchange: a client that may nothing", &nothing, ex.clone(), unauthorized),
        ("no subject token", &all, but("&subject_token=", "&other="), request),
        ("no type of it", &all, but("subject_token_type", "other"), request),
        ("another type", &all, but("token-type:access_token", "token-type:refresh_token"), request),
        (
            "another type wanted",
            &all,
            format!("{ex}&requested_token_type=urn:ietf:params:oauth:token-type:refresh_token"),
            request,
        ),
        ("another actor", &all, format!("{ex}&actor_token={own}&actor_token_type={ACCESS_TOKEN}"), request),
        ("a type of no actor", &all, format!("{ex}&actor_token_type={ACCESS_TOKEN}"), request),
        ("an empty subject token", &all, exchange(""), request),
        ("two subject tokens", &all, format!("{ex}&subject_token={}", user.access), request),
        ("a scope twice", &all, format!("{ex}&scope=profile&scope=profile"), request),
        ("an audience twice", &all, format!("{ex}&audience=local-api&audience=local-api"), request),
        ("a resource twice", &all, format!("{ex}&resource=local-api&resource=local-api"), request),
        ("own: a scope twice", &all, format!("{cc}&scope=profile&scope=profile"), request),
        ("its name twice", &all, format!("{cc}&client_id=all&client_id=all"), request),
        ("another audience", &all, format!("{ex}&audience=https://other.example"), target),
        ("another resource", &all, format!("{ex}&resource=https://other.example"), target),
        ("both, one of them another", &all, format!("{ex}&audience=local-api&resource=urn:x"), target),
        ("exchange: a malformed scope", &all, format!("{ex}&scope=%C3%A9"), scope),
        ("exchange: wider than the client's", &all, format!("{ex}&scope=notes"), scope),
        ("exchange: what nobody has", &all, format!("{ex}&scope=profile+admin"), scope),
    ];
    for (name, party, form, (status, code)) in cases {
        assert_eq!(refusal(&party.ask(&api, &form).await), (status, code.to_owned()), "{name}");
    }
    let subjects = [
        ("a subject token that is none", "x"),
        ("a forged one", &format!("{}x", user.access)),
        ("a refresh token", &user.refresh),
        ("a client's own token", &own),
        ("one that was exchanged", &exchanged),
    ];
    for (name, subject_token) in subjects {
        assert!(is_refused(&all.exchange(&api, subject_token, "").await), "{name}");
    }
    let good = [
        "",
        "&scope=",
        "&audience=",
        "&resource=",
        "&scope=&audience=&resource=",
        "&audience=local-api",
        "&resource=local-api",
        &format!("&requested_token_type={ACCESS_TOKEN}"),
    ];
    for more in good {
        assert_eq!(all.exchange(&api, &user.access, more).await.status, 200, "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_right_or_there_is_no_client() {
    let api = Api::start().await;
    let user = api.login().await;
    let party = Party::new(&api, "job", "client_credentials token_exchange", "profile").await;
    let other = Party::new(&api, "other", "client_credentials token_exchange", "profile").await;
    let (good, secret, wrong) = (party.basic(), &party.secret, &other.secret);
    let (invalid, twice) = ((401, "invalid_client"), (400, "invalid_request"));
    let escaped = format!("Basic {}", BASE64_STANDARD.encode(format!("%6aob:{}", secret.replace('_', "%5F"))));
    let nobody = format!("Basic {}", BASE64_STANDARD.encode("nobody:x"));
    let bearer = format!("Bearer {}", user.access);
    let refresh = format!("grant_type=refresh_token&refresh_token={}", user.refresh);
    for grant in ["grant_type=client_credentials", &exchange(&user.access)] {
        let cases = [
            ("in the header", vec![good.as_str()], String::new(), None),
            ("form-urlencoded", vec![&escaped], String::new(), None),
            ("in the body", vec![], format!("&client_id=job&client_secret={secret}"), None),
            ("in the header, and its name", vec![&good], "&client_id=job".to_owned(), None),
            ("none", vec![], String::new(), Some(invalid)),
            ("a name alone", vec![], "&client_id=job".to_owned(), Some(invalid)),
            ("another's secret", vec![], format!("&client_id=job&client_secret={wrong}"), Some(invalid)),
            ("nobody's name", vec![], format!("&client_id=nobody&client_secret={secret}"), Some(invalid)),
            ("a malformed secret", vec![], "&client_id=job&client_secret=x".to_owned(), Some(invalid)),
            ("an access token", vec![&bearer], String::new(), Some(invalid)),
            ("a header of no scheme", vec!["x"], String::new(), Some(invalid)),
            (
                "a secret twice",
                vec![],
                format!("&client_id=job&client_secret={secret}&client_secret={secret}"),
                Some(twice),
            ),
            ("a name twice", vec![], format!("&client_id=job&client_id=job&client_secret={secret}"), Some(twice)),
            ("in both", vec![&good], format!("&client_id=job&client_secret={secret}"), Some(twice)),
            ("a secret without a name", vec![], format!("&client_secret={secret}"), Some(twice)),
            ("two names", vec![&good], "&client_id=other".to_owned(), Some(twice)),
            ("two headers", vec![&good, &good], String::new(), Some(twice)),
        ];
        assert_credentials(&api, grant, &cases).await;
    }
    let default = Party::new(&api, "default", "", "").await;
    let own = default.basic();
    let cases = [
        ("refresh: a public client", vec![], String::new(), None),
        ("refresh: one that names itself", vec![], "&client_id=default".to_owned(), None),
        ("refresh: an access token beside it", vec![bearer.as_str()], String::new(), None),
        ("refresh: its own secret", vec![&own], String::new(), None),
        ("refresh: another client", vec![], "&client_id=job".to_owned(), Some((400, "invalid_grant"))),
        ("refresh: another client, rightly", vec![&good], String::new(), Some((400, "invalid_grant"))),
        ("refresh: a wrong secret", vec![], format!("&client_id=default&client_secret={secret}"), Some(invalid)),
        ("refresh: a malformed header", vec!["Basic x"], String::new(), Some(invalid)),
        ("refresh: nobody", vec![&nobody], String::new(), Some(invalid)),
    ];
    assert_credentials(&api, &refresh, &cases).await;
}

type Case<'a> = (&'a str, Vec<&'a str>, String, Option<(u16, &'a str)>);

async fn assert_credentials(api: &Api, form: &str, cases: &[Case<'_>]) {
    for (name, authorizations, more, expected) in cases {
        let headers: Vec<_> = authorizations.iter().map(|value| ("authorization", *value)).chain([FORM]).collect();
        let answer = api.send(Method::POST, "/oauth/token", &headers, format!("{form}{more}").as_bytes()).await;
        match expected {
            None => assert_eq!(answer.status, 200, "{name}: {answer:?}"),
            Some((status, code)) => assert_eq!(refusal(&answer), (*status, (*code).to_owned()), "{name}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_lives_and_dies_by_the_table() {
    let api = Api::start().await;
    let party = Party::new(&api, "job", "client_credentials", "profile notes").await;
    let scope = |answer: Answer| claims(&access_token(&answer))["scope"].as_str().unwrap().to_owned();
    let ask = async || party.ask(&api, "grant_type=client_credentials").await;
    assert_eq!(scope(ask().await), "profile notes");
    let narrower = Scope::parse("notes").unwrap();
    let changed = api.store.allow_client(&party.client, party.client.grants.clone(), narrower).await.unwrap();
    assert_eq!((changed, scope(ask().await)), (Replacement::Done, "notes".to_owned()));
    api.store.allow_client(&party.client, Grants::parse("").unwrap(), Scope::default()).await.unwrap();
    assert_eq!(refusal(&ask().await), (400, "unauthorized_client".to_owned()), "disabled");
    assert_eq!(
        api.form("/oauth/introspect", &format!("client_id=job&client_secret={}&token=x", party.secret)).await.status,
        400
    );
    api.store.delete_client(&party.client.id).await.unwrap();
    assert_eq!(refusal(&ask().await), (401, "invalid_client".to_owned()), "removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_own_token_says_what_it_is() {
    let api = Api::start().await;
    for (id, life, expected) in [("usual", None, 600), ("brief", Some(120), 120), ("long", Some(3600), 600)] {
        let life = life.map(Duration::from_secs);
        let party = Party::with_life(&api, id, "client_credentials", "profile notes", life).await;
        let answer = party.ask(&api, "grant_type=client_credentials&scope=notes").await;
        let mut members: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
        members.sort();
        assert_eq!(members, ["access_token", "expires_in", "scope", "token_type"], "no refresh token");
        assert_eq!(
            (&answer.json()["expires_in"], &answer.json()["scope"]),
            (&json!(expected), &json!("notes")),
            "{id}"
        );
        let token = claims(&access_token(&answer));
        let mut names: Vec<&String> = token.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"]);
        assert_eq!((&token["sub"], &token["client_id"]), (&json!(id), &json!(id)));
        let told = api.introspect(&access_token(&answer)).await.json();
        assert_eq!((&told["active"], &told["sub"], &told["scope"]), (&json!(true), &json!(id), &json!("notes")));
    }
}

/// It is let in where its scope is enough, and is nobody where a user is meant.
#[tokio::test(flavor = "multi_thread")]
async fn a_clients_own_token_is_no_users() {
    let api = Api::start().await;
    let party = Party::new(&api, "job", "client_credentials", "profile notes").await;
    let own = party.own_token(&api).await;
    let bearer = format!("Bearer {own}");
    let good = [("authorization", bearer.as_str())];
    let requests = [
        (Method::GET, "/me"),
        (Method::GET, "/sessions"),
        (Method::DELETE, "/sessions/67e55044-10b1-426f-9247-bb680e5fe0c8"),
        (Method::POST, "/logout"),
    ];
    for (method, path) in requests {
        let answer = api.send(method, path, &good, b"").await;
        let challenge = answer.header("www-authenticate");
        assert_eq!((answer.status.as_u16(), challenge), (403, Some("Bearer error=\"insufficient_scope\"")), "{path}");
    }
    let narrow = access_token(&party.ask(&api, "grant_type=client_credentials&scope=notes").await);
    assert_eq!(api.me(&narrow).await.status, 403, "the route policy asks for more");
    assert_eq!(api.send(Method::POST, "/me", &good, b"").await.status, 405, "let in where nothing is asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_own_token_is_revoked_alone_and_with_its_client() {
    let api = Api::start().await;
    let party = Party::new(&api, "job", "client_credentials", "notes").await;
    let (one, other) = (party.own_token(&api).await, party.own_token(&api).await);
    // A route of no policy, whose function has no such method: whoever is let in gets a 405.
    let status = async |token: &str| {
        let bearer = format!("Bearer {token}");
        api.send(Method::POST, "/me", &[("authorization", &bearer)], b"").await.status.as_u16()
    };
    let active = async |token: &str| api.introspect(token).await.json()["active"] == true;
    assert_eq!(api.form("/oauth/revoke", &format!("token={one}")).await.status, 200);
    api.wait(SEEN);
    assert_eq!((status(&one).await, status(&other).await), (401, 405));
    assert_eq!((active(&one).await, active(&other).await), (false, true));
    api.store.revoke(&auth_core::journal::Revocation::client("job", START + SEEN), START + SEEN).await.unwrap();
    assert!(!active(&other).await, "at once, by the mark");
    api.wait(SEEN);
    assert_eq!(status(&other).await, 401, "within the bound, by the journal");
    let newer = party.own_token(&api).await;
    assert_eq!((status(&newer).await, active(&newer).await), (405, true), "what it gets since is good");
    api.store.delete_client(&party.client.id).await.unwrap();
    assert!(!active(&newer).await, "its client is gone");
}

/// Nobody else may be taken for a user: not by whoever looks at `sub` alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_named_like_a_user_gets_no_token_of_its_own() {
    let api = Api::start().await;
    let user = api.user_of(&api.login().await.access).await;
    let party = Party::new(&api, &user.id.to_string(), "client_credentials", "profile").await;
    let answer = party.ask(&api, "grant_type=client_credentials").await;
    assert_eq!(refusal(&answer), (400, "unauthorized_client".to_owned()));
}

/// Over 4 KB: the answer says which claims are too big, and what is asked for with less scope is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_too_long_is_not_minted() {
    let api = Api::start().await;
    let words: Vec<String> = (0..300).map(|n| format!("scope-{n:06}")).collect();
    let party = Party::new(&api, "big", "client_credentials", &words.join(" ")).await;
    let answer = party.ask(&api, "grant_type=client_credentials").await;
    let text = answer.json()["error_description"].as_str().unwrap().to_owned();
    assert_eq!(refusal(&answer), (400, "invalid_scope".to_owned()));
    assert!(text.contains("more than 4096") && text.ends_with("scope (3901 bytes)"), "{text}");
    assert_eq!(party.ask(&api, &format!("grant_type=client_credentials&scope={}", words[0])).await.status, 200);

    // A user's, too: nothing is lost by it, and less scope helps.
    let tokens = api.login().await;
    let user = api.user_of(&tokens.access).await;
    let wide = auth_dynamodb::change::Change::Roles(auth_core::scope::Roles::parse(&words.join(" ")).unwrap());
    api.store.change_user(&user, wide, START).await.unwrap();
    for _ in 0..2 {
        api.wait(RESTED);
        let refused = api.refresh(&tokens.refresh).await;
        assert_eq!(refusal(&refused), (400, "invalid_scope".to_owned()));
        assert!(refused.text.contains("roles ("), "{refused:?}");
    }
    let login = api.sign_in(&api.password).await;
    assert_eq!(refusal(&login), (400, "invalid_scope".to_owned()));
}

/// A token that was exchanged says more than the one that it is for, so it may be too long where that is not.
#[tokio::test(flavor = "multi_thread")]
async fn nor_is_one_for_a_users() {
    let api = Api::start().await;
    let words: Vec<String> = (0..300).map(|n| format!("scope-{n:06}")).collect();
    let agent = Party::new(&api, &"agent".repeat(10), "token_exchange", &words.join(" ")).await;
    let user = api.user_of(&api.login().await.access).await;
    let wide = auth_dynamodb::change::Change::Scope(Scope::parse(&words.join(" ")).unwrap());
    api.store.change_user(&user, wide, START).await.unwrap();
    let login = async |count: usize| {
        let scope = words[..count].join(" ");
        let body = json!({"username": "demo", "password": api.password, "scope": scope});
        api.post("/login", &body).await.tokens().access
    };
    let room = 4096 - login(100).await.len();
    let longest = login(100 + room * 3 / 4 / " scope-000000".len()).await;
    let refused = agent.exchange(&api, &longest, "").await;
    assert_eq!(refusal(&refused), (400, "invalid_scope".to_owned()));
    assert!(refused.text.contains("more than 4096") && refused.text.contains("scope ("), "{refused:?}");
    assert_eq!(agent.exchange(&api, &longest, &format!("&scope={}", words[0])).await.status, 200, "less has room");
}
