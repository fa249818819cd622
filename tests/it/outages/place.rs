//! Where cells are carried out: binaries, table and keys, and two instances that no fault reaches.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::time::{Clock as _, SystemClock};
use auth_keys::keeper::Keeper;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::outages::answer::Answer;
use crate::outages::event::{login, refresh_with};
use crate::outages::instance::Instance;
use crate::outages::operation::{Operation, Setting};
use crate::outages::proxy::Proxy;
use crate::outages::world::{Ground, World};
use crate::rie::{Bench, Environment};

pub(crate) struct Place {
    bench: Bench,
    pub(crate) ground: Ground,
    client: reqwest::Client,
    login: Mutex<Instance>,
    refresh: Mutex<Instance>,
}

impl Place {
    pub(crate) async fn set_up() -> Self {
        let bench = Bench::set_up().await;
        let ground = Ground::of(&bench).await;
        let sound = async |function: &str| {
            let log = bench.logs.join(function).with_extension("log");
            Mutex::new(Instance::start(&bench.binary(function), &bench.variables, &log).await)
        };
        let (login, refresh) = (sound("Login").await, sound("Refresh").await);
        Self { bench, ground, client: reqwest::Client::new(), login, refresh }
    }

    pub(crate) async fn proxy(&self) -> Proxy {
        Proxy::to(&self.ground.engine, &self.client).await
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.bench.logs.join(format!("{name}.log"))
    }

    /// An instance of the operation's function, on that wire.
    pub(crate) async fn start(&self, operation: &Operation, proxy: &Proxy, log: &Path) -> Instance {
        let limit = (operation.setting == Setting::Limit).then(|| ("SESSIONS_PER_USER", "2".to_owned()));
        self.start_with(operation.function, limit, proxy, log).await
    }

    /// An instance of a function, on that wire, with other variables, too.
    pub(crate) async fn start_with(
        &self,
        function: &str,
        others: impl IntoIterator<Item = (&'static str, String)>,
        proxy: &Proxy,
        log: &Path,
    ) -> Instance {
        let endpoint = ("AWS_ENDPOINT_URL_DYNAMODB", proxy.endpoint.clone());
        let variables: Environment = self.bench.variables.clone().into_iter().chain([endpoint]).chain(others).collect();
        Instance::start(&self.bench.binary(function), &variables, log).await
    }

    /// Variables of functions whose keys take turns in the table, with the same keys of refresh tokens.
    pub(crate) async fn turning_keys(&self) -> Vec<(&'static str, String)> {
        let file = self.bench.logs.join("turning.keys");
        let kept = json!({"refresh_keys": self.bench.variables["REFRESH_KEYS"]}).to_string();
        File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&file)
            .unwrap()
            .write_all(kept.as_bytes())
            .unwrap();
        let file = file.to_str().unwrap().to_owned();
        let look_up = |name: &str| (name == "KEY_FILE").then(|| file.clone());
        let keeper = Keeper::from_variables(&Variables::new(&look_up), self.ground.store.clone()).await.unwrap();
        keeper.keep(&OsEntropy, SystemClock.now()).await.unwrap();
        let unset = ["JWKS", "REFRESH_KEYS", "SIGNING_KEY"].map(|name| (name, String::new()));
        [("KEY_FILE", file)].into_iter().chain(unset).collect()
    }

    /// What a sound instance answers to the token.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Answer, String> {
        invoke(&self.refresh, refresh_with(token)).await
    }

    /// What a sound instance answers to the user's own password.
    pub(crate) async fn sign_in(&self, world: &World) -> Result<Answer, String> {
        invoke(&self.login, login(world.user.login_name.as_str(), &world.password)).await
    }
}

async fn invoke(instance: &Mutex<Instance>, event: Value) -> Result<Answer, String> {
    Answer::read(instance.lock().await.invoke(event).await?)
}
