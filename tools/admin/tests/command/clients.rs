//! `authctl client`.

use std::time::Duration;

use auth_core::client::{Client, ClientCredentials, ClientId, ClientSecret, Grants};
use auth_core::scope::Scope;
use serde_json::{Value, json};

use crate::operator::Operator;

/// Whether this is the secret that the client has.
async fn has_secret(operator: &Operator, id: &str, secret: &str) -> bool {
    let (id, secret) = (ClientId::parse(id).unwrap(), ClientSecret::parse(secret).unwrap());
    let found = operator.store.client(&id).await.unwrap();
    ClientCredentials { id, secret }.authenticate(found).is_some()
}

fn secret(said: &[Value]) -> String {
    let secret = said.first().and_then(|client| client.get("secret")?.as_str());
    secret.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_added_and_its_secret_is_told_once() {
    let operator = Operator::start().await;
    let added = operator.json(&["client", "add", "gateway", "--description", "the partners' gateway"]);
    assert!(has_secret(&operator, "gateway", &secret(&added)).await);
    let other = operator.run(&["client", "add", "My.api_2-x"]);
    let told = other.done().strip_prefix("client \"My.api_2-x\" added; its secret, told only now: ").unwrap();
    assert!(has_secret(&operator, "My.api_2-x", told.trim_end()).await);

    let mut listed = operator.json(&["client", "list", "--page-size", "1"]);
    listed.sort_by_key(|client| client["id"].to_string());
    let created_at = added[0]["created_at"].as_str().unwrap();
    assert!(created_at.ends_with('Z'), "{created_at}");
    let expected = json!({
        "id": "gateway",
        "created_at": created_at,
        "grants": "introspect",
        "scope": "",
        "token_life": null,
        "description": "the partners' gateway",
    });
    assert_eq!((&listed[1], &listed[0]["description"]), (&expected, &json!(null)));
    assert_eq!(listed.len(), 2);
    let text = operator.run(&["client", "list"]);
    assert!(text.done().starts_with("ID") && text.stdout.contains("the partners' gateway"), "{text:?}");
    assert!(!text.stdout.contains("csc_"), "{text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_do_what_it_is_told_to() {
    let operator = Operator::start().await;
    let client = async || operator.store.client(&ClientId::parse("agent").unwrap()).await.unwrap().unwrap();
    let wanted = ["--grants", "token_exchange client_credentials", "--scope", "notes calendar", "--token-life", "120"];
    let added = operator.json(&[&["client", "add", "agent"], &wanted[..]].concat());
    let shown = |client: &Value| ["grants", "scope", "token_life"].map(|member| client[member].clone());
    assert_eq!(shown(&added[0]), [json!("client_credentials token_exchange"), json!("notes calendar"), json!(120)]);
    let kept = client().await;
    assert_eq!(
        (kept.grants.to_string(), kept.scope.as_str()),
        ("client_credentials token_exchange".to_owned(), "notes calendar")
    );
    assert_eq!(kept.token_life, Some(Duration::from_secs(120)));

    let changed = operator.json(&["client", "set-grants", "agent", "introspect", "token_exchange"]);
    assert_eq!(shown(&changed[0]), [json!("introspect token_exchange"), json!("notes calendar"), json!(120)]);
    let changed = operator.json(&["client", "set-scope", "agent", "notes"]);
    assert_eq!(shown(&changed[0]), [json!("introspect token_exchange"), json!("notes"), json!(120)]);
    operator.run(&["client", "set-grants", "agent"]).done();
    operator.run(&["client", "set-scope", "agent"]).done();
    assert_eq!(client().await, Client { grants: Grants::parse("").unwrap(), scope: Scope::default(), ..kept });
    assert!(has_secret(&operator, "agent", &secret(&added)).await, "its secret stays");

    for (arguments, code) in [
        (&["client", "set-grants", "nobody", "introspect"][..], 3),
        (&["client", "set-grants", "agent", "refresh_token"], 2),
        (&["client", "set-scope", "agent", "a\"b"], 2),
        (&["client", "add", "x", "--token-life", "59"], 2),
        (&["client", "add", "x", "--token-life", "3601"], 2),
    ] {
        operator.run(arguments).refused(code);
    }
    let like_a_user = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let refused = operator.run(&["client", "add", like_a_user, "--grants", "client_credentials"]);
    assert!(refused.refused(2).contains("could be a user's id"), "{refused:?}");
    operator.json(&["client", "add", like_a_user, "--grants", "token_exchange"]);
    operator.run(&["client", "set-grants", like_a_user, "client_credentials"]).refused(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_is_given_once() {
    let operator = Operator::start().await;
    let first = secret(&operator.json(&["client", "add", "gateway"]));
    let expected = "there is a client \"gateway\" already: choose another identifier, or give it a new secret by \
                    `authctl client rotate gateway`";
    assert_eq!(operator.run(&["client", "add", "gateway"]).refused(4), expected);
    assert!(has_secret(&operator, "gateway", &first).await, "the first one's stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_secret_is_the_only_one() {
    let operator = Operator::start().await;
    let added = operator.json(&["client", "add", "gateway", "--description", "x"]);
    let rotated = operator.json(&["client", "rotate", "gateway", "--yes"]);
    assert!(has_secret(&operator, "gateway", &secret(&rotated)).await);
    assert!(!has_secret(&operator, "gateway", &secret(&added)).await);
    for member in ["id", "created_at", "description"] {
        assert_eq!(rotated[0][member], added[0][member], "{member}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_client_is_none() {
    let operator = Operator::start().await;
    let first = secret(&operator.json(&["client", "add", "gateway"]));
    assert_eq!(operator.json(&["client", "remove", "gateway", "--yes"]), [json!({"removed": "gateway"})]);
    assert!(!has_secret(&operator, "gateway", &first).await);
    assert!(operator.json(&["client", "list"]).is_empty());
    for arguments in [["client", "remove", "gateway", "--yes"], ["client", "rotate", "gateway", "--yes"]] {
        let expected = "there is no client \"gateway\": `authctl client list` shows all";
        assert_eq!(operator.run(&arguments).refused(3), expected, "{arguments:?}");
    }
    let again = secret(&operator.json(&["client", "add", "gateway"]));
    assert_ne!(again, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_dies_unasked() {
    let operator = Operator::start().await;
    let first = secret(&operator.json(&["client", "add", "gateway"]));
    for command in ["remove", "rotate"] {
        let refused = operator.run_with(&["client", command, "gateway"], "y\n");
        let expected = "not confirmed, nothing was done: without a terminal to ask on, say --yes";
        assert_eq!(refused.refused(5), expected, "{command}");
    }
    assert!(has_secret(&operator, "gateway", &first).await);
}
