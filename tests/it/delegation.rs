//! Token exchange: a client that acts for a user can do less than the user, and no longer than the user's session.

use std::time::Duration;

use auth_core::config::environment;
use auth_core::delegation;
use auth_core::entropy::OsEntropy;
use auth_core::id::SessionId;
use auth_core::journal::Revocation;
use auth_core::scope::Scope;
use auth_core::time::Clock as _;
use auth_dynamodb::change::Change;
use reqwest::Method;
use serde_json::{Value, json};

use crate::grants::{Party, access_token, claims};
use crate::harness::{Answer, Api, RESTED, SECOND, START, WEEK, engine};
use crate::revocation::SEEN;
use crate::rotating::{Rotating, kid};
use crate::wire::{Fault, Wire};

/// Reading notes takes one scope, writing them another, and the administration a role.
const POLICY: &str = r#"{"routes":[
    {"method":"GET","path":"/me","any_scopes":["notes","profile"]},
    {"method":"POST","path":"/me","all_scopes":["profile"]},
    {"method":"PUT","path":"/me","any_roles":["member"]}
]}"#;

async fn start() -> (Api, Party) {
    start_on(engine().await, &[("ROUTE_POLICY", POLICY)]).await
}

async fn start_on(engine: String, variables: &[(&'static str, &str)]) -> (Api, Party) {
    let api = Api::start_on(engine, variables).await;
    let agent = Party::new(&api, "agent", "token_exchange", "notes calendar").await;
    (api, agent)
}

async fn exchanged(api: &Api, agent: &Party, user: &str) -> String {
    access_token(&agent.exchange(api, user, "").await)
}

async fn status(api: &Api, method: Method, path: &str, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    api.send(method, path, &[("authorization", &bearer)], b"").await.status.as_u16()
}

async fn list(api: &Api, access: &str) -> Vec<Value> {
    api.get("/sessions", &format!("Bearer {access}")).await.json()["sessions"].as_array().unwrap().clone()
}

async fn end(api: &Api, access: &str, sid: &Value) {
    let path = format!("/sessions/{}", sid.as_str().unwrap());
    assert_eq!(status(api, Method::DELETE, &path, access).await, 204);
}

async fn active(api: &Api, token: &str) -> bool {
    api.introspect(token).await.json()["active"] == true
}

/// Whatever is wrong with a subject token, its client is told the same.
pub(crate) fn is_refused(answer: &Answer) -> bool {
    let text =
        r#"{"error":"invalid_request","error_description":"the subject token is not valid, or cannot be exchanged"}"#;
    answer.status == 400 && answer.text == text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchanged_token_says_who_acts_for_whom() {
    let (api, agent) = start().await;
    let user = api.login().await;
    let answer = agent.exchange(&api, &user.access, "").await;
    let mut members: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
    members.sort();
    assert_eq!(members, ["access_token", "expires_in", "issued_token_type", "scope", "token_type"], "no refresh token");
    assert_eq!(answer.json()["scope"], "notes", "what token, user and client have in common");
    let (own, token) = (claims(&user.access), claims(&access_token(&answer)));
    assert_eq!((&token["sub"], &token["ver"], &token["aud"]), (&own["sub"], &own["ver"], &own["aud"]));
    assert_eq!((&token["client_id"], &token["act"]), (&json!("agent"), &json!({"sub": "agent"})));
    assert_eq!((&token["parent_sid"], token.get("roles")), (&own["sid"], None));
    assert_ne!(token["sid"], own["sid"]);
    let me = api.me(&access_token(&answer)).await.json();
    assert_eq!((&me["act"], &me["roles"], &me["scope"]), (&json!({"sub": "agent"}), &json!([]), &json!("notes")));
    let told = api.introspect(&access_token(&answer)).await.json();
    assert_eq!((&told["act"], &told["sid"], told.get("roles")), (&json!({"sub": "agent"}), &token["sid"], None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_is_never_wider_than_any_of_the_three() {
    let (api, agent) = start().await;
    let login = json!({"username": "demo", "password": api.password, "scope": "profile"});
    let narrow = api.post("/login", &login).await.tokens();
    let wide = api.login().await;
    let answer = async |user: &str, scope: &str| {
        let answer = agent.exchange(&api, user, scope).await;
        (answer.status.as_u16(), answer.json()["scope"].as_str().map(str::to_owned))
    };
    assert_eq!(answer(&wide.access, "").await, (200, Some("notes".to_owned())));
    assert_eq!(answer(&wide.access, "&scope=notes").await, (200, Some("notes".to_owned())));
    for more in ["profile", "calendar", "notes+profile", "notes+calendar", "admin"] {
        assert_eq!(answer(&wide.access, &format!("&scope={more}")).await, (400, None), "{more}");
    }
    assert_eq!(answer(&narrow.access, "").await, (200, Some(String::new())), "nothing in common");
    assert_eq!(answer(&narrow.access, "&scope=notes").await, (400, None), "the user's token has it not");
    let user = api.user_of(&wide.access).await;
    let less = Change::Scope(Scope::parse("profile").unwrap());
    api.store.change_user(&user, less, api.clock.now()).await.unwrap();
    assert!(is_refused(&agent.exchange(&api, &wide.access, "").await), "of before the change");
    let newer = api.refresh(&wide.refresh).await.tokens().access;
    assert_eq!(answer(&newer, "").await, (200, Some(String::new())), "the user has it no more");
}

/// Shown at the gateway: what the owner's token opens and this one does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_downscoped_token_cannot_do_what_its_owner_can() {
    let (api, agent) = start().await;
    let user = api.login().await;
    let token = exchanged(&api, &agent, &user.access).await;
    // 405: let in, and the function has no such method.
    let cases = [
        (Method::GET, "/me", 200, 200, "a scope that it has"),
        (Method::POST, "/me", 405, 403, "a scope that its owner has alone"),
        (Method::PUT, "/me", 405, 403, "a role"),
        (Method::GET, "/sessions", 200, 403, "the owner's sessions"),
        (Method::DELETE, "/sessions/67e55044-10b1-426f-9247-bb680e5fe0c8", 404, 403, "their end"),
    ];
    for (method, path, of_owner, of_agent, name) in cases {
        let seen = [&user.access, &token].map(|token| status(&api, method.clone(), path, token));
        let [owner, agent] = seen;
        assert_eq!((owner.await, agent.await), (of_owner, of_agent), "{name}");
    }
    for sessions in ["all", "others"] {
        let body = json!({"sessions": sessions}).to_string();
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = api.send(Method::POST, "/logout", &headers, body.as_bytes()).await;
        assert_eq!(answer.status, 403, "{sessions}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"insufficient_scope\""), "{sessions}");
    }
    assert_eq!(status(&api, Method::GET, "/me", &user.access).await, 200, "nobody was signed out");
    assert!(is_refused(&agent.exchange(&api, &token, "").await), "nor does it beget another one");
}

/// Every way in which its owner, its client or itself can end, at the gateway, where nobody asks the database for a request.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_refused_within_the_bound_after_either_session_itself_or_its_client_has_ended() {
    type End = (&'static str, bool);
    let ends: [End; 8] = [
        ("the owner signs out", false),
        ("the owner ends that session from another", false),
        ("the owner ends all other sessions", false),
        ("an operator ends all", false),
        ("a replay", false),
        ("the owner ends it alone", true),
        ("the token is revoked by itself", true),
        ("its client is revoked", true),
    ];
    for (how, owner_goes_on) in ends {
        let (api, agent) = start().await;
        let (user, elsewhere) = (api.login().await, api.login().await);
        let token = exchanged(&api, &agent, &user.access).await;
        let other_agent = Party::new(&api, "other", "token_exchange", "notes").await;
        let other = exchanged(&api, &other_agent, &elsewhere.access).await;
        assert_eq!(api.me(&token).await.status, 200, "{how}");
        let (id, now) = (api.user_of(&user.access).await, api.clock.now());
        match how {
            "the owner signs out" => assert_eq!(api.logout(&user.refresh).await.status, 204),
            "the owner ends that session from another" => {
                end(&api, &elsewhere.access, &claims(&user.access)["sid"]).await;
            }
            "the owner ends all other sessions" => {
                let body = json!({"refresh_token": elsewhere.refresh, "sessions": "others"});
                assert_eq!(api.post("/logout", &body).await.status, 204);
            }
            "an operator ends all" => drop(api.store.end_all_sessions(&id, now).await.unwrap()),
            "a replay" => {
                let second = api.rotate(&user.refresh).await;
                api.rotate(&second.refresh).await;
                assert!(api.refresh(&user.refresh).await.is_invalid_grant());
            }
            "the owner ends it alone" => end(&api, &user.access, &claims(&token)["sid"]).await,
            "the token is revoked by itself" => {
                assert_eq!(api.form("/oauth/revoke", &format!("token={token}")).await.status, 200);
            }
            _ => api.store.revoke(&Revocation::client("agent", now), now).await.unwrap(),
        }
        assert!(!active(&api, &token).await, "{how}: who asks sees it at once");
        api.wait(SEEN);
        assert_eq!(api.me(&token).await.status, 401, "{how}");
        assert_eq!(api.refresh(&user.refresh).await.status == 200, owner_goes_on, "{how}");
        let ends_everything = ["the owner ends all other sessions", "an operator ends all"].contains(&how);
        assert_eq!(api.me(&other).await.status == 200, !ends_everything, "{how}: another client, another session");
    }
}

/// By the table, and at once: an exchange that begins after the end is refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_not_exchanged() {
    let ends = ["signed out", "revoked alone", "its client revoked", "disabled", "changed", "all ended", "deleted"];
    for how in ends {
        let (api, agent) = start().await;
        let user = api.login().await;
        let (record, now) = (api.user_of(&user.access).await, api.clock.now());
        match how {
            "signed out" => assert_eq!(api.logout(&user.refresh).await.status, 204),
            "revoked alone" => {
                assert_eq!(api.form("/oauth/revoke", &format!("token={}", user.access)).await.status, 200);
            }
            "its client revoked" => api.store.revoke(&Revocation::client("default", now), now).await.unwrap(),
            "disabled" => {
                let disable = Change::Status(auth_core::user::Status::Disabled);
                drop(api.store.change_user(&record, disable, now).await.unwrap());
            }
            "changed" => {
                let change = Change::Scope(Scope::parse("notes").unwrap());
                drop(api.store.change_user(&record, change, now).await.unwrap());
            }
            "all ended" => drop(api.store.end_all_sessions(&record, now).await.unwrap()),
            _ => drop(api.store.delete_user(&record, now).await.unwrap()),
        }
        assert!(is_refused(&agent.exchange(&api, &user.access, "").await), "{how}");
    }
    let (api, agent) = start().await;
    let user = api.login().await;
    api.wait(Duration::from_secs(631));
    assert!(is_refused(&agent.exchange(&api, &user.access, "").await), "expired");
    api.store.delete_client(&agent.client.id).await.unwrap();
    let refused = agent.exchange(&api, &api.login().await.access, "").await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]), (401, &json!("invalid_client")), "nobody asks");
}

/// Keys are no more than 15 s old where tokens are exchanged.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_key_signed_is_not_exchanged() {
    let world = Rotating::start("EdDSA").await;
    let api = &world.api;
    let agent = Party::new(api, "agent", "token_exchange", "notes").await;
    let user = api.login().await;
    exchanged(api, &agent, &user.access).await;
    world.keeper.kill(&kid(&user.access), &OsEntropy, api.clock.as_ref()).await.unwrap();
    api.wait(SEEN);
    assert!(is_refused(&agent.exchange(api, &user.access, "").await));
    let newer = api.refresh(&user.refresh).await.tokens();
    exchanged(api, &agent, &newer.access).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_sees_it_and_ends_it_alone_for_good() {
    let (api, agent) = start().await;
    let (user, elsewhere) = (api.login().await, api.login().await);
    let token = exchanged(&api, &agent, &user.access).await;
    for _ in 0..5 {
        api.wait(SECOND);
        assert_eq!(claims(&exchanged(&api, &agent, &user.access).await)["sid"], claims(&token)["sid"]);
    }
    let sessions = list(&api, &user.access).await;
    assert_eq!(sessions.len(), 3, "exchanges do not pile up: {sessions:?}");
    let delegated: Vec<&Value> = sessions.iter().filter(|it| !it["parent_sid"].is_null()).collect();
    let [own] = delegated[..] else { panic!("{sessions:?}") };
    assert_eq!((&own["client_id"], &own["scope"], &own["current"]), (&json!("agent"), &json!("notes"), &json!(false)));
    assert_eq!((&own["sid"], &own["parent_sid"]), (&claims(&token)["sid"], &claims(&user.access)["sid"]));
    assert_eq!(own["created_at"], START.seconds(), "since the first exchange");

    end(&api, &elsewhere.access, &own["sid"]).await;
    assert_eq!(list(&api, &user.access).await.len(), 2);
    assert!(is_refused(&agent.exchange(&api, &user.access, "").await), "by the token that it has");
    api.wait(WEEK);
    let newer = api.refresh(&user.refresh).await.tokens();
    assert!(is_refused(&agent.exchange(&api, &newer.access, "").await), "nor by a newer one of that session");
    let other = Party::new(&api, "other", "token_exchange", "notes").await;
    exchanged(&api, &other, &newer.access).await;
    exchanged(&api, &agent, &api.login().await.access).await;
}

/// What ended all sessions but one has ended what clients had under that one, too, and lifts it no more than others.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_all_others_ends_what_clients_have_for_good() {
    let (api, agent) = start().await;
    let user = api.login().await;
    exchanged(&api, &agent, &user.access).await;
    let body = json!({"refresh_token": user.refresh, "sessions": "others"});
    assert_eq!(api.post("/logout", &body).await.status, 204);
    let newer = api.refresh(&user.refresh).await.tokens();
    assert_eq!(list(&api, &newer.access).await.len(), 1);
    assert!(is_refused(&agent.exchange(&api, &newer.access, "").await));
}

/// One transaction, and nothing of what is under the session is touched: the list and the checks look above.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_session_is_one_transaction_however_many_clients_there_are() {
    let wire = Wire::to(engine().await).await;
    let (api, _) = start_on(wire.endpoint.clone(), &[("ROUTE_POLICY", POLICY)]).await;
    let (user, elsewhere) = (api.login().await, api.login().await);
    for number in 0..5 {
        let agent = Party::new(&api, &format!("agent-{number}"), "token_exchange", "notes").await;
        exchanged(&api, &agent, &user.access).await;
    }
    assert_eq!(list(&api, &elsewhere.access).await.len(), 7);
    wire.calls();
    assert_eq!(api.logout(&user.refresh).await.status, 204);
    let calls: Vec<_> = wire.calls().into_iter().map(|call| (call.operation, call.units)).collect();
    let counted = environment("DYNAMODB_ENDPOINT").is_none();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].0 == "TransactWriteItems" && (!counted || calls[0].1 < 4.5), "{calls:?}");
    assert_eq!(list(&api, &elsewhere.access).await.len(), 1, "hidden with the session above them");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_life_is_its_own_and_ends_with_the_session_above() {
    let engine = engine().await;
    let bounds = [("REFRESH_IDLE_TTL_SECONDS", "900"), ("REFRESH_ABSOLUTE_TTL_SECONDS", "900")];
    let api = Api::start_on(engine, &bounds).await;
    let life = |seconds| Some(Duration::from_secs(seconds));
    let usual = Party::new(&api, "usual", "token_exchange", "notes").await;
    let brief = Party::with_life(&api, "brief", "token_exchange", "notes", life(120)).await;
    let long = Party::with_life(&api, "long", "token_exchange", "notes", life(3600)).await;
    let user = api.login().await;
    let expires_in =
        async |party: &Party, user: &str| party.exchange(&api, user, "").await.json()["expires_in"].clone();
    for (party, expected) in [(&usual, 600), (&brief, 120), (&long, 600)] {
        assert_eq!(expires_in(party, &user.access).await, expected, "{}", party.client.id);
    }
    api.wait(Duration::from_secs(500));
    for (party, expected) in [(&usual, 400), (&brief, 120), (&long, 400)] {
        assert_eq!(expires_in(party, &user.access).await, expected, "{}: not beyond the session", party.client.id);
    }
}

/// Whoever has a server key and knows the ids makes no refresh token for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_has_is_never_refreshed() {
    let (api, agent) = start().await;
    let user = api.login().await;
    let token = claims(&exchanged(&api, &agent, &user.access).await);
    let keys = auth_core::refresh_token::RefreshKeys::parse(&api.refresh_keys).unwrap();
    let (user_id, sid) =
        (api.user_of(&user.access).await.id, SessionId::parse(token["sid"].as_str().unwrap()).unwrap());
    for generation in [0, 1, 7] {
        let nonce = auth_core::refresh_token::Nonce::from_bytes([0; 16]);
        let forged = keys.seal(user_id, sid, generation, &nonce);
        assert!(api.refresh(&forged).await.is_invalid_grant(), "{generation}");
    }
    assert_eq!(list(&api, &user.access).await.len(), 2, "and nothing has ended by it");
}

/// A client that signs itself out ends what it has, and the user stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_signs_out_by_itself() {
    let (api, agent) = start().await;
    let user = api.login().await;
    let token = exchanged(&api, &agent, &user.access).await;
    let bearer = format!("Bearer {token}");
    assert_eq!(api.send(Method::POST, "/logout", &[("authorization", &bearer)], b"").await.status, 204);
    assert!(!active(&api, &token).await);
    api.refresh(&user.refresh).await.tokens();
    assert!(is_refused(&agent.exchange(&api, &user.access, "").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_have_counts_for_no_limit_of_sessions() {
    let (api, agent) = start_on(engine().await, &[("SESSIONS_PER_USER", "2")]).await;
    let first = api.login().await;
    exchanged(&api, &agent, &first.access).await;
    api.wait(SECOND);
    let second = api.login().await;
    assert_eq!(list(&api, &second.access).await.len(), 3);
    api.wait(RESTED);
    assert_eq!(api.refresh(&first.refresh).await.status, 200, "two logins, and neither made room");
}

/// A write whose answer was lost is sent again and finds its own; one that cannot be done is a 503.
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_a_503_and_a_lost_answer_is_made_good() {
    let wire = Wire::to(engine().await).await;
    let (api, agent) = start_on(wire.endpoint.clone(), &[]).await;
    let user = api.login().await;
    wire.plan("UpdateItem", [Fault::LostAnswer]);
    exchanged(&api, &agent, &user.access).await;
    for operation in ["GetItem", "UpdateItem"] {
        wire.plan(operation, vec![Fault::Refused("InternalServerError"); 3]);
        let answer = agent.exchange(&api, &user.access, "").await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("2")), "{operation}");
        wire.clear();
    }
    exchanged(&api, &agent, &user.access).await;
}

/// A session that ends while it is exchanged: the end comes after the read, so the journal has it, and both are seen.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_during_an_exchange_is_seen_by_the_authorizer() {
    let wire = Wire::to(engine().await).await;
    let (api, agent) = start_on(wire.endpoint.clone(), &[("ROUTE_POLICY", POLICY)]).await;
    let api = std::sync::Arc::new(api);
    let user = api.login().await;
    let hold = wire.hold("UpdateItem", 0);
    let under_way = tokio::spawn({
        let (api, access) = (std::sync::Arc::clone(&api), user.access.clone());
        async move { agent.exchange(&api, &access, "").await }
    });
    hold.reached.notified().await;
    assert_eq!(api.logout(&user.refresh).await.status, 204);
    hold.let_go.notify_one();
    let token = access_token(&under_way.await.unwrap());
    assert!(!active(&api, &token).await);
    api.wait(SEEN);
    assert_eq!(api.me(&token).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_of_one_client_and_one_session_above() {
    let (api, agent) = start().await;
    let user = api.login().await;
    let token = claims(&exchanged(&api, &agent, &user.access).await);
    let parent = SessionId::parse(claims(&user.access)["sid"].as_str().unwrap()).unwrap();
    assert_eq!(token["sid"], delegation::session_id(parent, &agent.client.id).to_string());
}
