//! Starts the parts, in their order.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use auth_core::client::{Client, ClientCredentials, ClientId, ClientSecret, Grants};
use auth_core::config::{ConfigError, Variables};
use auth_core::entropy::{Entropy, NoEntropy};
use auth_core::generate::GenerateError;
use auth_core::id::UserId;
use auth_core::login::LoginName;
use auth_core::scope::{Roles, Scope};
use auth_core::time::{Clock, UnixTime};
use auth_core::user::{Status, User};
use auth_dynamodb::client;
use auth_dynamodb::endpoint::Endpoint;
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;
use auth_dynamodb::table::LOCAL_NAME;
use auth_dynamodb::user::Creation;
use auth_http::browser::Browsers;
use auth_keys::keeper::{KeepError, Keeper};
use auth_keys::place::{KeyKind, Place};
use auth_password::hasher::{Hasher, Parameters};
use auth_password::password::{MIN_LENGTH, Password};
use authorizer::config::KEYS_SOFT;
use authorizer::journal::TableJournal;
use authorizer::watch::Watch;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::clock::LocalClock;
use crate::engine;
use crate::gateway::{self, Functions, Gateway};
use crate::secrets::Secrets;
use crate::stage::Stage;
use crate::surface::{Answered, Attachment, AttachmentError, Authorization, Surface};

/// The login name of the demo user.
pub const DEMO_USER: &str = "demo";

/// The demo client.
pub const DEMO_CLIENT: &str = "demo";

/// What the demo client may do: all that there is.
pub const DEMO_GRANTS: &str = "introspect client_credentials token_exchange";

/// What the demo user and the demo client may ask for.
pub const DEMO_SCOPE: &str = "profile notes";

/// The route policy, unless another is given: `GET /me` takes the scope `profile`, to show a 403; what is not named is closed.
pub const ROUTE_POLICY: &str = r#"{"unmatched":"deny","routes":[
    {"method":"GET","path":"/me","all_scopes":["profile"]},
    {"method":"GET","path":"/sessions"},
    {"method":"DELETE","path":"/sessions/*"}
]}"#;

/// A look-up of variables.
pub type LookUp = Box<dyn Fn(&str) -> Option<String>>;

/// How a stack is started.
pub struct Options {
    /// The gateway's port; 0 for any.
    pub port: u16,
    /// The embedded database's file; in memory without one.
    pub data: Option<PathBuf>,
    /// The embedded database's port; 0 for any.
    pub dynamodb_port: u16,
    /// Another engine instead of the embedded one.
    pub dynamodb_endpoint: Option<Endpoint>,
    /// The kind of gateway, and how it asks the authorizer.
    pub attachment: Attachment,
    /// The stage, whose name then stands before every path; at the root without one.
    pub stage: Option<String>,
    /// Variables of the functions, before those that the stack sets by itself.
    pub variables: LookUp,
    /// What the stack's clock starts from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
}

/// A running stack.
pub struct Stack {
    /// Where the API is: what clients put before its paths.
    pub url: String,
    /// Where `DynamoDB` listens.
    pub dynamodb: String,
    /// The demo password, the demo client's secret and the keys.
    pub secrets: Secrets,
    /// The clock of all parts.
    pub clock: Arc<LocalClock>,
    /// The table.
    pub store: Store,
    listener: TcpListener,
    service: Arc<Gateway>,
}

/// Why a stack did not start. One line each.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program listens there, or nobody may.
    #[error("port {port}: {reason}")]
    Port {
        /// The port.
        port: u16,
        /// The system's words.
        reason: std::io::Error,
    },
    /// A file is there but is not what it should be, or cannot be written.
    #[error("{}: {reason}", file.display())]
    Data {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The table has a demo user of another stack.
    #[error(
        "the table has a user \"{DEMO_USER}\" whose password is not known here: start with the --data FILE of that time"
    )]
    UnknownDemoPassword,
    /// The table has a demo client of another stack.
    #[error(
        "the table has a client \"{DEMO_CLIENT}\" whose secret is not known here: start with the --data FILE of that \
         time, or remove it by `authctl client remove {DEMO_CLIENT}`"
    )]
    UnknownDemoSecret,
    /// The embedded engine.
    #[error("the embedded database: {0}")]
    Engine(String),
    /// Nobody could end it.
    #[error("signals: {0}")]
    Signals(std::io::Error),
    /// A gateway that there cannot be.
    #[error(transparent)]
    Attachment(#[from] AttachmentError),
    /// New keys.
    #[error(transparent)]
    Keys(#[from] GenerateError),
    /// A variable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The table.
    #[error("the table: {0}")]
    Store(#[from] StoreError),
    /// The keys of `KEY_FILE`.
    #[error("the keys: {0}")]
    Keeper(#[from] KeepError),
    /// The demo user or the demo client.
    #[error("the demo: {0}")]
    Demo(String),
}

impl From<NoEntropy> for StartError {
    fn from(error: NoEntropy) -> Self {
        Self::Keys(error.into())
    }
}

impl Stack {
    /// Starts everything but the gateway's service, which [`Stack::serve`] runs.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let listener = listen(options.port).await?;
        let gateway = listener.local_addr().map_err(|reason| StartError::Port { port: options.port, reason })?;
        let is_http_api = matches!(options.attachment.surface, Surface::Http(_));
        let stage = Stage::new(options.stage.as_deref(), if is_http_api { "$default" } else { "local" });
        let url = format!("http://{gateway}{}", stage.base);
        let entropy = Arc::clone(&options.entropy);
        let algorithm = format!("{:?}", Variables::new(&options.variables).signing_algorithm()?);
        let secrets = match &options.data {
            Some(data) => Secrets::beside(data, &algorithm, entropy.as_ref())?,
            None => Secrets::generate(&algorithm, entropy.as_ref())?,
        };
        let clock = Arc::new(LocalClock::new(Arc::clone(&options.clock)));
        let variables = variables(&options, &url, &secrets)?;
        let look_up = |name: &str| variables.get(name).cloned().or_else(|| (options.variables)(name));
        let variables = Variables::new(&look_up);
        let (dynamodb, store) = connect(&options, variables.table_name()?).await?;
        let store = store.with_journal(variables.journal_policy()?);
        store.create_table().await?;
        if Place::is_named(KeyKind::Signing, &variables) {
            // The daily run of rotate-keys.
            Keeper::from_variables(&variables, store.clone()).await?.keep(entropy.as_ref(), clock.now()).await?;
        }
        create_demo_user(&store, &secrets, entropy.as_ref(), clock.now().millis()).await?;
        create_demo_client(&store, &secrets, clock.now()).await?;
        let authorizer = authorizer(&variables, &store, &clock)?;
        let (authorization, connecting) = attach(options.attachment, &Arc::new(authorizer))?;
        let service = Arc::new(Gateway {
            functions: functions(&variables, &store, &clock, &entropy).await?,
            clock: Arc::clone(&clock),
            entropy,
            stage,
            authorization,
            is_http_api,
            connecting,
        });
        Ok(Self { url, dynamodb, secrets, clock, store, listener, service })
    }

    /// Serves until `shutdown` is there; requests under way are answered.
    ///
    /// # Errors
    ///
    /// When the listener fails.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        let router = gateway::router(self.service).into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(self.listener, router).with_graceful_shutdown(shutdown).await
    }
}

async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|reason| StartError::Port { port, reason })
}

/// What the functions find in their environment. What the caller sets goes before, but for what only a stack knows.
fn variables(options: &Options, url: &str, secrets: &Secrets) -> Result<HashMap<&'static str, String>, StartError> {
    let given = |name: &str, default: &str| (options.variables)(name).unwrap_or_else(|| default.to_owned());
    let mut variables = HashMap::from([
        ("TABLE_NAME", given("TABLE_NAME", LOCAL_NAME)),
        ("ISSUER", given("ISSUER", url)),
        ("AUDIENCE", given("AUDIENCE", "local-api")),
        ("ROUTE_POLICY", given("ROUTE_POLICY", ROUTE_POLICY)),
    ]);
    if Place::is_named(KeyKind::Signing, &Variables::new(&options.variables)) {
        return Ok(variables); // all keys are there, and in the table
    }
    let signing_key = given("SIGNING_KEY", &secrets.signing_key);
    let look_up =
        |name: &str| if name == "SIGNING_KEY" { Some(signing_key.clone()) } else { (options.variables)(name) };
    let jwks = serde_json::json!({"keys": [Variables::new(&look_up).signing_key()?.jwk()]}).to_string();
    variables.extend([("REFRESH_KEYS", secrets.refresh_keys.clone()), ("SIGNING_KEY", signing_key), ("JWKS", jwks)]);
    Ok(variables)
}

async fn connect(options: &Options, table: String) -> Result<(String, Store), StartError> {
    if let Some(endpoint) = &options.dynamodb_endpoint {
        return Ok((endpoint.to_string(), Store::at(endpoint, table).await));
    }
    let listener = listen(options.dynamodb_port).await?;
    let address = engine::serve(listener, engine::open(options.data.as_deref())?)?;
    let endpoint = format!("http://{address}");
    let store = Store::on_loopback(&endpoint, table);
    Ok((endpoint, store))
}

/// The authorizer, whose watch reads the journal when it is first asked.
fn authorizer(
    variables: &Variables<'_>,
    store: &Store,
    clock: &Arc<LocalClock>,
) -> Result<authorizer::App, ConfigError> {
    let mut config = authorizer::config::Config::from_variables(variables)?;
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    config.verifier = config.verifier.bind(store, &clock, KEYS_SOFT);
    config.issuers = config.issuers.bind(&clock)?;
    let watch = config.revocation.as_ref().map(|revocation| {
        let journal = TableJournal::new(store.clone(), revocation.copy(0));
        Watch::new(journal, revocation.freshness, Arc::clone(&clock), 0)
    });
    Ok(authorizer::App::new(config, watch, clock))
}

async fn functions(
    variables: &Variables<'_>,
    store: &Store,
    clock: &Arc<LocalClock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Functions, ConfigError> {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let mut login = login::config::Config::from_variables(variables)?;
    login.keys = login.keys.bind(store, &clock).await?;
    let refresh = refresh::config::Config::from_variables(variables)?.bind(store, &clock).await?;
    let revoke = revoke::config::Config::from_variables(variables)?.bind(store, &clock).await?;
    let introspect = introspect::config::Config::from_variables(variables)?.bind(store, &clock).await?;
    let discovery = discovery::App::from_variables(variables)?.bind(store.clone(), Arc::clone(&clock)).await;
    Ok(Functions {
        login: login::App::new(login, store.clone(), Arc::clone(&clock), Arc::clone(entropy)),
        refresh: refresh::App::new(refresh, store.clone(), Arc::clone(&clock), Arc::clone(entropy)),
        revoke: revoke::App::new(revoke, store.clone(), Arc::clone(&clock)),
        introspect: introspect::App::new(introspect, store.clone(), Arc::clone(&clock)),
        sessions: sessions::App::new(Browsers::without_cookies(variables)?, store.clone(), clock),
        discovery,
    })
}

/// Attaches the authorizer. A WebSocket API stands beside a REST API, where its callers get their tokens.
fn attach(
    attachment: Attachment,
    authorizer: &Arc<authorizer::App>,
) -> Result<(Authorization, Option<Authorization>), AttachmentError> {
    let new = |attachment| {
        let authorizer = Arc::clone(authorizer);
        let invoke = move |event: Value| -> Answered {
            let authorizer = Arc::clone(&authorizer);
            Box::pin(async move {
                let answer = authorizer.authorize(&event).await.map_err(|refusal| refusal.text().to_owned())?;
                serde_json::to_value(answer).map_err(|error| error.to_string())
            })
        };
        Authorization::new(attachment, Box::new(invoke))
    };
    match attachment.surface {
        Surface::WebSocket => Ok((new(Attachment::new(Surface::RestToken))?, Some(new(attachment)?))),
        _ => Ok((new(attachment)?, None)),
    }
}

async fn create_demo_user(store: &Store, secrets: &Secrets, entropy: &dyn Entropy, ver: u64) -> Result<(), StartError> {
    let broken = |error: &dyn std::fmt::Display| StartError::Demo(error.to_string());
    let name = LoginName::parse(DEMO_USER).map_err(|error| broken(&error))?;
    let password = Password::chosen(&secrets.demo_password, MIN_LENGTH).map_err(|error| broken(&error))?;
    let hasher = Hasher::new(Parameters::default());
    let password_hash = hasher.hash(&password, entropy).map_err(|error| broken(&error))?;
    let user = User {
        id: UserId::random(entropy)?,
        login_name: name,
        status: Status::Active,
        ver,
        floor: 0,
        roles: Roles::parse("member").map_err(|error| broken(&error))?,
        scope: Scope::parse(DEMO_SCOPE).map_err(|error| broken(&error))?,
    };
    match store.create_user(&user, &password_hash).await? {
        Creation::Created => Ok(()),
        Creation::NameTaken => check_demo_password(store, &hasher, &user.login_name, &password).await,
    }
}

async fn check_demo_password(
    store: &Store,
    hasher: &Hasher,
    name: &LoginName,
    password: &Password,
) -> Result<(), StartError> {
    let credentials = store.credentials(name).await?.ok_or(StartError::UnknownDemoPassword)?;
    match hasher.verify(password, &credentials.password_hash) {
        Ok(auth_password::hasher::Verdict::Right { .. }) => Ok(()),
        _ => Err(StartError::UnknownDemoPassword),
    }
}

async fn create_demo_client(store: &Store, secrets: &Secrets, now: UnixTime) -> Result<(), StartError> {
    let broken = |error: &dyn std::fmt::Display| StartError::Demo(error.to_string());
    let id = ClientId::parse(DEMO_CLIENT).map_err(|error| broken(&error))?;
    let secret = ClientSecret::parse(&secrets.demo_client_secret).map_err(|error| broken(&error))?;
    let client = Client {
        grants: Grants::parse(DEMO_GRANTS).map_err(|error| broken(&error))?,
        scope: Scope::parse(DEMO_SCOPE).map_err(|error| broken(&error))?,
        ..Client::new(id.clone(), secret.digest(), now)
    };
    if store.create_client(&client).await? == client::Creation::Created {
        return Ok(());
    }
    let found = store.client(&id).await?;
    ClientCredentials { id, secret }.authenticate(found).map(drop).ok_or(StartError::UnknownDemoSecret)
}
