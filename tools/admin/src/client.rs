//! `authctl client`.

use std::io::Write;

use auth_core::client::{Client, ClientId, ClientSecret};
use auth_core::entropy::OsEntropy;
use auth_dynamodb::client::{Creation, Replacement};
use serde::Serialize;
use serde_json::json;

use crate::command::{Client as Command, Identified};
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::output::{Row, rfc3339};

pub(crate) async fn run(command: Command, mut context: Context<impl Write>) -> Result<(), Failure> {
    match command {
        Command::Add { client, description } => context.add_client(client.id, description).await,
        Command::List => {
            let store = context.store;
            context.output.list(async |after| store.clients(after).await, |client| Shown::new(&client)).await
        }
        Command::Rotate(Identified { id }) => context.rotate_client(&id).await,
        Command::Remove(Identified { id }) => context.remove_client(&id).await,
    }
}

impl<W: Write> Context<W> {
    async fn add_client(&mut self, id: ClientId, description: Option<String>) -> Result<(), Failure> {
        let secret = ClientSecret::random(&OsEntropy)?;
        let client = Client { id, digest: secret.digest(), created_at: now(), description };
        match self.store.create_client(&client).await? {
            Creation::Created => self.tell(&client, "added", &secret),
            Creation::IdTaken => Err(Failure::ClientTaken(client.id)),
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

/// A client without its secret, of which there is a digest only.
#[derive(Serialize)]
struct Shown {
    id: String,
    created_at: String,
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
            description: client.description.clone(),
        }
    }
}

impl Row for Shown {
    const COLUMNS: &[&str] = &["ID", "CREATED", "DESCRIPTION"];

    fn cells(&self) -> Vec<String> {
        vec![self.id.clone(), self.created_at.clone(), self.description.clone().unwrap_or_default()]
    }
}
