//! `authctl user`.

use std::io::Write;

use auth_core::entropy::OsEntropy;
use auth_core::id::UserId;
use auth_core::login::LoginName;
use auth_core::scope::{Roles, Scope};
use auth_core::user::{Status, User};
use auth_dynamodb::change::Change;
use auth_dynamodb::deletion::Deletion;
use auth_dynamodb::user::Creation;
use auth_password::hasher::{Hasher, Parameters};
use serde::Serialize;
use serde_json::json;

use crate::ask;
use crate::command::{Named, User as Command};
use crate::context::{Context, done, now};
use crate::failure::Failure;
use crate::output::Row;

pub(crate) async fn run(command: Command, mut context: Context<impl Write>) -> Result<(), Failure> {
    match command {
        Command::Add { user, roles, scope } => {
            context.add(user.name, roles.unwrap_or_default(), scope.unwrap_or_default()).await
        }
        Command::Show(Named { name }) => {
            let user = context.user(&name).await?;
            context.output.show(&Shown::new(&user))
        }
        Command::List => {
            let store = context.store;
            context.output.list(async |after| store.users(after).await, |user| Shown::new(&user)).await
        }
        Command::Disable(Named { name }) => context.set_status(&name, Status::Disabled).await,
        Command::Enable(Named { name }) => context.set_status(&name, Status::Active).await,
        Command::SetRoles { user, roles } => {
            let user = context.user(&user.name).await?;
            context.change(&user, Change::Roles(roles.into_iter().collect())).await
        }
        Command::SetScope { user, scope } => {
            let user = context.user(&user.name).await?;
            context.change(&user, Change::Scope(scope.into_iter().collect())).await
        }
        Command::SetPassword(Named { name }) => context.set_password(&name).await,
        Command::Delete(Named { name }) => context.delete(&name).await,
    }
}

impl<W: Write> Context<W> {
    async fn add(&mut self, login_name: LoginName, roles: Roles, scope: Scope) -> Result<(), Failure> {
        // Before anybody has typed a password in vain. What decides is the transaction.
        if self.store.credentials(&login_name).await?.is_some() {
            return Err(Failure::NameTaken(login_name));
        }
        let password_hash = new_hash()?;
        let id = UserId::random(&OsEntropy)?;
        let user = User { id, login_name, status: Status::Active, ver: now().millis(), floor: 0, roles, scope };
        match self.store.create_user(&user, &password_hash).await? {
            Creation::Created => self.say(&user, "added"),
            Creation::NameTaken => Err(Failure::NameTaken(user.login_name)),
        }
    }

    async fn set_status(&mut self, name: &LoginName, status: Status) -> Result<(), Failure> {
        let user = self.user(name).await?;
        if user.status == status {
            return self.say(&user, &format!("{} already", word(status)));
        }
        if status == Status::Disabled {
            self.confirm(&format!("Disable \"{}\", who can neither sign in nor refresh then?", name.as_str()))?;
        }
        self.change(&user, Change::Status(status)).await
    }

    async fn change(&mut self, user: &User, change: Change) -> Result<(), Failure> {
        let what = match &change {
            Change::Status(status) => word(*status).to_owned(),
            Change::Roles(roles) if roles.is_empty() => "has no roles".to_owned(),
            Change::Roles(roles) => format!("has the roles {roles}"),
            Change::Scope(scope) if scope.is_empty() => "has no scope".to_owned(),
            Change::Scope(scope) => format!("has the scope {scope}"),
        };
        let changed = self.store.change_user(user, change, now()).await?;
        self.say(&done(changed, &user.login_name)?, &what)
    }

    async fn set_password(&mut self, name: &LoginName) -> Result<(), Failure> {
        let user = self.user(name).await?;
        let changed = self.store.set_password(&user, &new_hash()?, now()).await?;
        self.say(&done(changed, name)?, "has a new password, and no session any more")
    }

    async fn delete(&mut self, name: &LoginName) -> Result<(), Failure> {
        let user = self.user(name).await?;
        self.confirm(&format!("Delete \"{}\" ({}) with all sessions, for ever?", name.as_str(), user.id))?;
        // Sessions first: where that breaks off, the name still leads to the rest. Then those that began meanwhile.
        let there = self.store.delete_sessions(user.id).await?;
        if self.store.delete_user(&user, now()).await? == Deletion::Gone {
            return Err(Failure::NoUser(name.clone()));
        }
        let begun_meanwhile = self.store.delete_sessions(user.id).await?;
        let sessions = there + begun_meanwhile;
        let sentence = format!("user \"{}\" ({}) deleted; sessions: {sessions}", name.as_str(), user.id);
        self.output.done(&sentence, &json!({"deleted": user.id, "name": name.as_str(), "sessions": sessions}))
    }

    /// What has become of a user: a sentence, or how the user is now.
    fn say(&mut self, user: &User, what: &str) -> Result<(), Failure> {
        let sentence = format!("user \"{}\" ({}) {what}", user.login_name.as_str(), user.id);
        self.output.done(&sentence, &Shown::new(user))
    }
}

fn new_hash() -> Result<String, Failure> {
    let password = ask::new_password()?;
    Ok(Hasher::new(Parameters::default()).hash(&password, &OsEntropy)?)
}

const fn word(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Disabled => "disabled",
    }
}

/// A user, without what is nobody's business.
#[derive(Serialize)]
struct Shown {
    name: String,
    id: UserId,
    status: &'static str,
    roles: Vec<String>,
    scope: String,
    ver: u64,
    floor: u64,
}

impl Shown {
    fn new(user: &User) -> Self {
        Self {
            name: user.login_name.as_str().to_owned(),
            id: user.id,
            status: word(user.status),
            roles: user.roles.iter().map(str::to_owned).collect(),
            scope: user.scope.to_string(),
            ver: user.ver,
            floor: user.floor,
        }
    }
}

impl Row for Shown {
    const COLUMNS: &[&str] = &["NAME", "STATUS", "ROLES", "SCOPE", "ID"];

    fn cells(&self) -> Vec<String> {
        vec![self.name.clone(), self.status.to_owned(), self.roles.join(" "), self.scope.clone(), self.id.to_string()]
    }
}
