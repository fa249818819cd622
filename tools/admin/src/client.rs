//! `authctl client`.

use std::io::Write;
use std::time::Duration;

use auth_core::client::{Client, ClientId, ClientSecret, Grant, Grants};
use auth_core::entropy::OsEntropy;
use auth_core::scope::Scope;
use auth_dynamodb::client::{Creation, Replacement};
use serde::Serialize;
use serde_json::json;

use crate::command::{Client as Command, Identified};
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::output::{Row, rfc3339};

pub(crate) async fn run(command: Command, mut context: Context<impl Write>) -> Result<(), Failure> {
    match command {
        Command::Add { client, description, grants, scope, token_life } => {
            let wanted = Wanted {
                description,
                grants: grants.unwrap_or_default(),
                scope: scope.unwrap_or_default(),
                token_life,
            };
            context.add_client(client.id, wanted).await
        }
        Command::List => {
            let store = context.store;
            context.output.list(async |after| store.clients(after).await, |client| Shown::new(&client)).await
        }
        Command::SetGrants { client, grants } => {
            context.allow_client(&client.id, Some(grants.into_iter().collect()), None).await
        }
        Command::SetScope { client, scope } => {
            context.allow_client(&client.id, None, Some(scope.into_iter().collect())).await
        }
        Command::Rotate(Identified { id }) => context.rotate_client(&id).await,
        Command::Remove(Identified { id }) => context.remove_client(&id).await,
    }
}

impl<W: Write> Context<W> {
    async fn add_client(&mut self, id: ClientId, wanted: Wanted) -> Result<(), Failure> {
        check_name(&id, &wanted.grants)?;
        let secret = ClientSecret::random(&OsEntropy)?;
        let Wanted { description, grants, scope, token_life } = wanted;
        let new = Client::new(id, secret.digest(), now());
        let client = Client { description, grants, scope, token_life, ..new };
        match self.store.create_client(&client).await? {
            Creation::Created => self.tell(&client, "added", &secret),
            Creation::IdTaken => Err(Failure::ClientTaken(client.id)),
        }
    }

    /// Gives a client other grants, or another scope; what is not named stays.
    async fn allow_client(
        &mut self,
        id: &ClientId,
        grants: Option<Grants>,
        scope: Option<Scope>,
    ) -> Result<(), Failure> {
        let client = self.client(id).await?;
        let grants = grants.unwrap_or(client.grants.clone());
        let scope = scope.unwrap_or(client.scope.clone());
        check_name(id, &grants)?;
        match self.store.allow_client(&client, grants.clone(), scope.clone()).await? {
            Replacement::Done => {
                let changed = Shown::new(&Client { grants, scope, ..client });
                self.output.done(&format!("client \"{id}\" changed"), &changed)
            }
            Replacement::Meanwhile => Err(Failure::ClientChangedMeanwhile(id.clone())),
            Replacement::Gone => Err(Failure::NoClient(id.clone())),
        }
    }

    async fn rotate_client(&mut self, id: &ClientId) -> Result<(), Failure> {
        let client = self.client(id).await?;
        self.confirm(&format!("Give \"{id}\" another secret, the one before being refused then?"))?;
        let secret = ClientSecret::random(&OsEntropy)?;
        match self.store.replace_secret(&client, secret.digest()).await? {
            Replacement::Done => self.tell(&client, "rotated", &secret),
            Replacement::Meanwhile => Err(Failure::ClientChangedMeanwhile(id.clone())),
            Replacement::Gone => Err(Failure::NoClient(id.clone())),
        }
    }

    async fn remove_client(&mut self, id: &ClientId) -> Result<(), Failure> {
        self.client(id).await?;
        self.confirm(&format!("Remove \"{id}\", whose secret is refused then?"))?;
        self.store.delete_client(id).await?;
        self.output.done(&format!("client \"{id}\" removed"), &json!({"removed": id.as_str()}))
    }

    async fn client(&self, id: &ClientId) -> Result<Client, Failure> {
        self.store.client(id).await?.ok_or_else(|| Failure::NoClient(id.clone()))
    }

    /// The one time that a secret is told: nobody, the table included, has it afterwards but its client.
    fn tell(&mut self, client: &Client, what: &str, secret: &ClientSecret) -> Result<(), Failure> {
        let text = secret.text();
        let sentence = format!("client \"{}\" {what}; its secret, told only now: {}", client.id, *text);
        self.output.done(&sentence, &Told { client: Shown::new(client), secret: &text })
    }
}

/// What a new client shall be.
struct Wanted {
    description: Option<String>,
    grants: Grants,
    scope: Scope,
    token_life: Option<Duration>,
}

/// A client that is named like a user's id would be taken for that user by whoever looks at the subject of its tokens alone.
fn check_name(id: &ClientId, grants: &Grants) -> Result<(), Failure> {
    if grants.contains(Grant::ClientCredentials) && id.could_be_a_user() {
        let why = "a client with tokens of its own needs another name: this one could be a user's id";
        return Err(Failure::Usage(why.to_owned()));
    }
    Ok(())
}

/// A client without its secret, of which there is a digest only.
#[derive(Serialize)]
struct Shown {
    id: String,
    created_at: String,
    grants: String,
    scope: String,
    token_life: Option<u64>,
    description: Option<String>,
}

/// A client with its new secret.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    client: Shown,
    secret: &'a str,
}

impl Shown {
    fn new(client: &Client) -> Self {
        Self {
            id: client.id.to_string(),
            created_at: rfc3339(client.created_at),
            grants: client.grants.to_string(),
            scope: client.scope.to_string(),
            token_life: client.token_life.map(|life| life.as_secs()),
            description: client.description.clone(),
        }
    }
}

impl Row for Shown {
    const COLUMNS: &[&str] = &["ID", "CREATED", "GRANTS", "SCOPE", "DESCRIPTION"];

    fn cells(&self) -> Vec<String> {
        let description = self.description.clone().unwrap_or_default();
        vec![self.id.clone(), self.created_at.clone(), self.grants.clone(), self.scope.clone(), description]
    }
}
