//! An API whose keys take turns, in a file and in the table.

use std::path::PathBuf;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::key_ring::KeyState;
use auth_core::time::Clock as _;
use auth_keys::keeper::{Deed, Keeper};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::harness::{Api, engine, table_name};

/// An API whose keys take turns, and who keeps them.
pub(crate) struct Rotating {
    pub(crate) api: Api,
    pub(crate) file: PathBuf,
    pub(crate) keeper: Keeper,
    variables: Vec<(&'static str, String)>,
}

impl Rotating {
    pub(crate) async fn start(algorithm: &'static str) -> Self {
        Self::start_on(engine().await, algorithm).await
    }

    pub(crate) async fn start_on(endpoint: String, algorithm: &str) -> Self {
        let file = std::env::temp_dir().join(format!("{}.keys", table_name()));
        let places = [("KEY_FILE", file.to_str().unwrap())];
        Self::start_with(endpoint, algorithm, &places, file.clone()).await
    }

    pub(crate) async fn start_with(
        endpoint: String,
        algorithm: &str,
        places: &[(&'static str, &str)],
        file: PathBuf,
    ) -> Self {
        let variables = [places, &[("SIGNING_ALGORITHM", algorithm), ("ROTATION_DAYS", "30")]].concat();
        let api = Api::start_on(endpoint, &variables).await;
        let variables: Vec<_> = variables.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        let keeper = keeper(&variables, &api).await;
        Self { api, file, keeper, variables }
    }

    /// A keeper of the same keys with another variable.
    pub(crate) async fn keeper_with(&self, name: &'static str, value: &str) -> Keeper {
        let others = self.variables.iter().filter(|it| it.0 != name).cloned();
        keeper(&others.chain([(name, value.to_owned())]).collect::<Vec<_>>(), &self.api).await
    }

    pub(crate) async fn keep(&self) -> Vec<Deed> {
        self.keeper.keep(&OsEntropy, self.api.clock.now()).await.unwrap()
    }

    pub(crate) async fn states(&self) -> Vec<&'static str> {
        let (ring, now) = (self.keeper.ring().await.unwrap(), self.api.clock.now());
        ring.keys().iter().map(|key| ring.state(key, now).name()).collect()
    }

    pub(crate) async fn kid_of(&self, state: KeyState) -> String {
        let (ring, now) = (self.keeper.ring().await.unwrap(), self.api.clock.now());
        ring.keys().iter().find(|key| ring.state(key, now) == state).unwrap().kid().to_owned()
    }

    /// What is in the file.
    pub(crate) fn kept(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(&self.file).unwrap()).unwrap()
    }

    /// Changes the file behind everybody's back.
    pub(crate) fn change_kept(&self, change: impl FnOnce(&mut Value)) {
        let mut kept = self.kept();
        change(&mut kept);
        std::fs::write(&self.file, kept.to_string()).unwrap();
    }

    pub(crate) async fn published(&self) -> Vec<String> {
        let set = self.api.get("/.well-known/jwks.json", "").await.json();
        let keys = set["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

async fn keeper(variables: &[(&str, String)], api: &Api) -> Keeper {
    let look_up = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.clone());
    Keeper::from_variables(&Variables::new(&look_up), api.store.clone()).await.unwrap()
}

impl Drop for Rotating {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

pub(crate) fn kid(token: &str) -> String {
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}
