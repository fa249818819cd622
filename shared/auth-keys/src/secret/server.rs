//! A server that speaks as Secrets Manager does, and one that does not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_secretsmanager::config::{BehaviorVersion, Builder, Credentials, Region};
use serde_json::{Value, json};

use super::SecretVault;
use crate::test_server::{Answer, serve};

pub(crate) const JSON: &str = r#"{"signing_keys":{},"refresh_keys":"1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#;

/// A secret, and who answers for it.
pub(crate) struct Server {
    vault: Box<dyn Fn() -> SecretVault + Send + Sync>,
    state: Arc<State>,
    asked: Arc<AtomicUsize>,
}

#[derive(Default)]
struct State {
    /// What is answered, whatever is asked.
    instead: Mutex<Option<Answer>>,
    /// The versions that there are, the current one last. As at AWS, each is written once.
    versions: Mutex<Vec<(String, String)>>,
}

impl Server {
    pub(crate) async fn start(first: Option<&str>) -> Self {
        let versions = first.map(|text| ("first".to_owned(), text.to_owned())).into_iter().collect();
        let state = Arc::new(State { instead: Mutex::default(), versions: Mutex::new(versions) });
        let answering = Arc::clone(&state);
        let (endpoint, asked) = serve(move |operation, members| answering.answer(operation, members)).await;
        Self { vault: Box::new(move || vault_at(&endpoint)), state, asked }
    }

    pub(crate) fn vault(&self) -> SecretVault {
        (self.vault)()
    }

    /// Answers like this, or as Secrets Manager does.
    pub(crate) fn answers(&self, instead: Option<Answer>) {
        *self.state.instead.lock().unwrap() = instead;
    }

    /// Another version, by hand.
    pub(crate) fn put(&self, text: &str) {
        let mut versions = self.state.versions.lock().unwrap();
        let name = format!("by hand {}", versions.len());
        versions.push((name, text.to_owned()));
    }

    /// Makes the version before the last one the current one again.
    pub(crate) fn move_back(&self) {
        let mut versions = self.state.versions.lock().unwrap();
        let last = versions.len() - 1;
        versions.swap(last - 1, last);
    }

    /// How many calls came since this was last asked.
    pub(crate) fn calls(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

impl State {
    fn answer(&self, operation: &str, members: &Value) -> Answer {
        if let Some(answer) = &*self.instead.lock().unwrap() {
            return answer.clone();
        }
        let mut versions = self.versions.lock().unwrap();
        let done = |body: &Value| Answer::With(200, body.to_string());
        match operation {
            "DescribeSecret" => done(&json!({"Name": "keys"})),
            "GetSecretValue" => match versions.last() {
                None => Answer::error(400, "ResourceNotFoundException"),
                Some((version, text)) => done(&json!({"Name": "keys", "VersionId": version, "SecretString": text})),
            },
            _ => {
                let text = |name: &str| members[name].as_str().unwrap().to_owned();
                let (version, secret) = (text("ClientRequestToken"), text("SecretString"));
                match versions.iter().find(|(known, _)| *known == version) {
                    Some((_, known)) if *known != secret => Answer::error(400, "ResourceExistsException"),
                    Some(_) => done(&json!({})),
                    None => {
                        versions.push((version, secret));
                        done(&json!({}))
                    }
                }
            }
        }
    }
}

/// A secret of a server there.
pub(crate) fn vault_at(endpoint: &str) -> SecretVault {
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    SecretVault::of(config, "keys".to_owned())
}
