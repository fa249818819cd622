//! Whom a cell is about: a user with a session, and sessions that nothing of it may touch.

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::id::{SessionId, TokenId, UserId};
use auth_core::issuer::Issuer;
use auth_core::jwt::Signer;
use auth_core::login::LoginName;
use auth_core::policy::SessionPolicy;
use auth_core::refresh_token::{Nonce, RefreshKeys};
use auth_core::scope::{Roles, Scope};
use auth_core::session::{Child, Session};
use auth_core::time::{Clock as _, SystemClock, UnixTime};
use auth_core::user::{Status, User};
use auth_dynamodb::store::Store;
use auth_password::hasher::{Hasher, Parameters};
use auth_password::password::Password;
use local::stack::DEMO_USER;
use serde_json::{Value, json};

use crate::harness::{RESTED, WEEK};
use crate::outages::operation::{Operation, Setting};
use crate::rie::Bench;
use crate::wire::dynamodb;

/// The table and the keys, for all cells.
pub(crate) struct Ground {
    pub(crate) engine: String,
    table: String,
    pub(crate) store: Store,
    refresh_keys: RefreshKeys,
    issuer: Issuer,
    signer: Signer,
    client_secret: String,
    /// Everybody's, and its hashes.
    password: String,
    password_hash: String,
    outdated_hash: String,
}

/// One cell's own users and sessions.
pub(crate) struct World {
    pub(crate) user: User,
    pub(crate) password: String,
    /// What the operation is about.
    pub(crate) session: Session,
    /// The token that the client sends: the first, whatever came after it.
    pub(crate) presented: String,
    /// An access token of the session's, and its `jti`.
    pub(crate) access: (String, TokenId),
    /// What the demo client shows.
    pub(crate) client_secret: String,
    /// Another session of the user's, and one of another user's.
    bystanders: [Session; 2],
}

impl Ground {
    pub(crate) async fn of(bench: &Bench) -> Self {
        let look_up = |name: &str| bench.variables.get(name).cloned();
        let variables = Variables::new(&look_up);
        let (engine, table) = (bench.variables["AWS_ENDPOINT_URL_DYNAMODB"].clone(), variables.table_name().unwrap());
        let store = Store::on_loopback(&engine, table.clone());
        let password = Password::presented(&bench.demo_password).unwrap();
        let weak = Hasher::new(Parameters::new(8, 1, 1).unwrap());
        let demo = store.credentials(&LoginName::parse(DEMO_USER).unwrap()).await.unwrap().unwrap();
        Self {
            engine,
            table,
            store,
            refresh_keys: variables.refresh_keys().unwrap(),
            issuer: variables.token_issuer().unwrap(),
            signer: Signer::new(variables.signing_key().unwrap()),
            client_secret: bench.demo_client_secret.clone(),
            password: bench.demo_password.clone(),
            password_hash: demo.password_hash,
            outdated_hash: weak.hash(&password, &OsEntropy).unwrap(),
        }
    }

    /// The users and the sessions of a cell, as the operation wants them now.
    pub(crate) async fn world(&self, operation: &Operation) -> World {
        let (user, stranger) = (self.user(operation.setting).await, self.user(Setting::Usual).await);
        let now = SystemClock.now();
        let (newest, age) = operation.newest;
        let bystanders = [session(&user, 1, now), session(&stranger, 1, now)];
        let session = session(&user, newest, now.before(age));
        let first = self.refresh_keys.seal(user.id, session.id, 0, &nonce(0));
        let jti = TokenId::random(&OsEntropy).unwrap();
        let minted = self.issuer.mint(&self.signer, &user, &session, &session.scope, jti, now).unwrap();
        let access = (minted.text, jti);
        let (password, client_secret) = (self.password.clone(), self.client_secret.clone());
        let presented = first.to_string();
        let world = World { user, password, session, presented, access, client_secret, bystanders };
        for session in [&world.session].into_iter().chain(&world.bystanders) {
            self.store.create_session(session).await.unwrap();
        }
        world
    }

    async fn user(&self, setting: Setting) -> User {
        let id = UserId::random(&OsEntropy).unwrap();
        let user = User {
            id,
            login_name: LoginName::parse(&format!("user-{id}")).unwrap(),
            status: Status::Active,
            ver: 1,
            floor: 0,
            roles: Roles::parse("member").unwrap(),
            scope: Scope::parse("profile notes").unwrap(),
        };
        let hash = if setting == Setting::OutdatedHash { &self.outdated_hash } else { &self.password_hash };
        self.store.create_user(&user, hash).await.unwrap();
        if setting == Setting::OldFailures {
            let long_ago = SystemClock.now().before(WEEK);
            self.store.count_attempt(&user.login_name, long_ago).await.unwrap();
        }
        user
    }

    pub(crate) fn newest_token(&self, session: &Session) -> String {
        let Child { generation, nonce, .. } = &session.newest;
        self.refresh_keys.seal(session.user_id, session.id, *generation, nonce).to_string()
    }

    /// Makes the newest token of a session so old that it is used up by its next use.
    pub(crate) async fn rest(&self, token: &str) {
        let presented = self.refresh_keys.open(token).unwrap();
        let update = json!({
            "TableName": self.table,
            "Key": key(&format!("USER#{}", presented.user_id()), &format!("SESSION#{}", presented.session_id())),
            "UpdateExpression": "SET newest.made_at = newest.made_at - :rested",
            "ExpressionAttributeValues": {":rested": {"N": RESTED.as_millis().to_string()}},
        });
        dynamodb(&self.engine, "UpdateItem", &update).await;
    }

    /// How many attempts to sign in count as failures.
    pub(crate) async fn failures(&self, user: &User) -> Value {
        let key = key(&format!("LOGIN#{}", user.login_name.as_str()), "LOGIN");
        let read = json!({"TableName": self.table, "Key": key, "ConsistentRead": true});
        dynamodb(&self.engine, "GetItem", &read).await["Item"]["attempts"]["N"].clone()
    }

    /// An error if a session was touched that is none of the operation's. With a limit, all of the user's are.
    pub(crate) async fn check_bystanders(&self, world: &World, setting: Setting) -> Result<(), String> {
        let others = world.bystanders.iter().filter(|it| setting != Setting::Limit || it.user_id != world.user.id);
        for session in others {
            let found = self.store.session(session.user_id, session.id).await.unwrap();
            if found.as_ref() != Some(session) {
                return Err(format!("a bystander was touched: {found:?}"));
            }
        }
        Ok(())
    }
}

impl World {
    /// The session that a caller behind the authorizer is signed in with.
    pub(crate) const fn current(&self) -> &Session {
        let [current, _] = &self.bystanders;
        current
    }
}

/// A session whose newest token is of this generation, made then; the one before it was used last.
fn session(user: &User, generation: u8, made_at: UnixTime) -> Session {
    let id = SessionId::random(&OsEntropy).unwrap();
    Session {
        client_id: "default".to_owned(),
        scope: user.scope.clone(),
        ver: user.ver,
        previous: generation.checked_sub(1).map(nonce),
        newest: Child { generation: generation.into(), nonce: nonce(generation), made_at },
        ..Session::begin(user.id, id, nonce(0), &SessionPolicy::default(), made_at)
    }
}

fn nonce(generation: u8) -> Nonce {
    Nonce::from_bytes([generation; 16])
}

fn key(pk: &str, sk: &str) -> Value {
    json!({"pk": {"S": pk}, "sk": {"S": sk}})
}
