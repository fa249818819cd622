//! What is asked of KMS, and in which order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_core::entropy::OsEntropy;
use auth_core::key::Algorithm;
use auth_core::key_ring::CustodyKind;
use serde_json::{Value, json};

use super::*;
use crate::kms::tests::{ARN, Key, NOW, kms_that, ring_key};
use crate::test_server::Answer;

type Answering = Box<dyn Fn(&str, &Value) -> Answer + Send + Sync>;

const POLICY: RotationPolicy =
    RotationPolicy { algorithm: Algorithm::ES256, custody: CustodyKind::Kms, every: Duration::from_hours(24) };

/// Keys of a table in a KMS that answers like this; and what it was asked for.
async fn keys_that(
    answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static,
) -> (KmsKeys, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let told = Arc::clone(&asked);
    let (kms, _) = kms_that(move |operation, members| {
        let of = members.get("KeyId").or(members.get("AliasName")).and_then(Value::as_str);
        told.lock().unwrap().push(of.map_or(operation.to_owned(), |of| format!("{operation} {of}")));
        answer(operation, members)
    })
    .await;
    (KmsKeys { table: "my.table".to_owned(), kms: OnceCell::new_with(Some(kms)) }, asked)
}

fn made(key: &Key, operation: &str, members: &Value) -> Answer {
    match operation {
        "CreateKey" => Answer::With(200, json!({"KeyMetadata": {"KeyId": "1", "Arn": ARN}}).to_string()),
        "CreateAlias" | "DeleteAlias" | "ScheduleKeyDeletion" => Answer::With(200, "{}".to_owned()),
        _ => key.answer(operation, members),
    }
}

#[tokio::test]
async fn a_key_has_the_name_of_its_ring_before_anybody_hears_of_it() {
    const ALIAS: &str = "alias/countersign/my/table/7";
    let alias = |operation: &str| format!("{operation} {ALIAS}");
    let [get, get_arn, delete] =
        [alias("GetPublicKey"), format!("GetPublicKey {ARN}"), format!("ScheduleKeyDeletion {ARN}")];
    let [name, unname] = [alias("CreateAlias"), alias("DeleteAlias")];
    let create = "CreateKey".to_owned();
    let none = Answer::error(400, "NotFoundException");
    let dead = Answer::error(400, "KMSInvalidStateException");
    let taken = Answer::error(400, "AlreadyExistsException");
    let cases = [
        ("nobody has made one", Some(&none), None, vec![&get, &create, &name, &get_arn], true),
        ("a run was cut off", None, None, vec![&get], true),
        ("it is deleted", Some(&dead), None, vec![&get, &unname, &create, &name, &get_arn], true),
        ("another run is faster", Some(&none), Some(&taken), vec![&get, &create, &name, &delete], false),
    ];
    for (name, by_alias, naming, expected, is_made) in cases {
        let (key, by_alias, naming) = (Key::new(Algorithm::ES256), by_alias.cloned(), naming.cloned());
        let (keys, asked) = keys_that(move |operation, members| match (operation, &by_alias, &naming) {
            ("GetPublicKey", Some(answer), _) if members["KeyId"] == ALIAS => answer.clone(),
            ("CreateAlias", _, Some(answer)) => answer.clone(),
            _ => made(&key, operation, members),
        })
        .await;
        let made = keys.make(&KeyRing::new(7, vec![]), POLICY, &OsEntropy, NOW).await.unwrap();
        assert_eq!(asked.lock().unwrap().iter().collect::<Vec<_>>(), expected, "{name}");
        assert_eq!(made.map(|made| made.custody), is_made.then(|| Custody::Kms(ARN.to_owned())), "{name}");
    }
}

#[tokio::test]
async fn a_key_is_held_if_it_is_the_same_and_may_sign() {
    let [own, other] = [(); 2].map(|()| Key::new(Algorithm::ES256));
    let it = Arc::clone(&own);
    let (kms, _) = kms_that(move |operation, members| it.answer(operation, members)).await;
    let listed = ring_key(&kms, Algorithm::ES256).await;
    let answers: [(_, Answering, _); 5] = [
        ("the same", Box::new(move |operation, members| own.answer(operation, members)), Some(true)),
        ("another one", Box::new(move |operation, members| other.answer(operation, members)), Some(false)),
        ("gone", Box::new(|_, _| Answer::error(400, "NotFoundException")), Some(false)),
        ("switched off", Box::new(|_, _| Answer::error(400, "DisabledException")), Some(false)),
        ("not to be known", Box::new(|_, _| Answer::error(400, "AccessDeniedException")), None),
    ];
    for (name, answer, expected) in answers {
        let (keys, _) = keys_that(answer).await;
        assert_eq!(keys.holds(&listed).await.ok(), expected, "{name}");
    }
}
