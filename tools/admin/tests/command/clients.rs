//! `authctl client`.

use auth_core::client::{ClientCredentials, ClientId, ClientSecret};
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
    let expected = json!({"id": "gateway", "created_at": created_at, "description": "the partners' gateway"});
    assert_eq!((&listed[1], &listed[0]["description"]), (&expected, &json!(null)));
    assert_eq!(listed.len(), 2);
    let text = operator.run(&["client", "list"]);
    assert!(text.done().starts_with("ID") && text.stdout.contains("the partners' gateway"), "{text:?}");
    assert!(!text.stdout.contains("csc_"), "{text:?}");
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
