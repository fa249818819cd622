//! The command line itself.
#![expect(clippy::doc_markdown, reason = "what stands here is its help text")]

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use auth_core::client::{ClientId, Grants, TOKEN_LIFE_BOUNDS};
use auth_core::id::SessionId;
use auth_core::jwt::MAX_ID_LENGTH;
use auth_core::login::LoginName;
use auth_core::scope::{Roles, Scope};
use auth_dynamodb::endpoint::Endpoint;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  a fault: the table cannot be reached or is not as it must be, something is not allowed, a file cannot be used
  2  wrong usage, or a value that cannot be taken, such as too short a password
  3  there is no such user, session, client or key
  4  conflict: the name is taken, the file exists, or somebody else changed the same meanwhile (try again)
  5  not confirmed

On the stack that `cargo run` starts, with the URL that it prints:
  authctl --endpoint http://127.0.0.1:PORT user list";

const AFTER_REVOKE: &str = "\
Authorizers see it within MAX_STALENESS_SECONDS (15 by default), unless REVOCATION is off. A gateway's own cache of what
they said adds its time; a WebSocket that is open stays open.

What --client and --key do not do: they end no session. Sessions of the client go on, and their next refresh brings an
access token that is good again. --key is for keys that the functions have by SIGNING_KEY and JWKS; those in the table
are killed by `authctl keys kill`. A key that still signs makes tokens that are refused at once, so that nobody gets in:
let the functions sign with another key first. /logout and /oauth/revoke know keys by JWKS alone: take the key out of
it, too.";

const AFTER_ROTATE: &str = "\
KEY_SECRET names the secret that holds the private keys (the template's output KeySecretArn), or KEY_FILE a file. Set
SIGNING_ALGORITHM, KEY_CUSTODY and ROTATION_DAYS to what rotate-keys has: without them, keys are like the newest one, for 90 days. After a
deployment with another algorithm, invoke rotate-keys first, or the next key may still be one of the old algorithm; the answer names it.";

const AFTER_KILL: &str = "\
KEY_SECRET or KEY_FILE, SIGNING_ALGORITHM, KEY_CUSTODY and ROTATION_DAYS as for `keys rotate`. Functions sign with the next
key within 15 seconds; authorizers refuse the one that was killed within MAX_STALENESS_SECONDS, and clients refresh: no session
ends. Verifiers of others go on with the JWK Set that they keep, some for two hours.";

const AFTER_REFRESH_KEYS: &str = "\
REFRESH_KEY_SECRET names the secret that holds these keys (the template's output RefreshKeySecretArn), or KEY_FILE a file.
Running functions read it again every five minutes, of which nobody waits for longer than ten; and at once when they meet a
token under a key that they do not know. A key that leaked: rotate, and half a minute later drop it.";

/// Users, sessions, clients, keys and the table of Countersign.
///
/// Region and credentials come from the AWS variables and profiles (AWS_REGION, AWS_PROFILE ...). A DynamoDB on this
/// machine needs neither.
#[derive(Debug, Parser)]
#[command(name = "authctl", version, after_help = AFTER_HELP)]
pub struct Arguments {
    /// The table; by default TABLE_NAME, else "countersign"
    #[arg(long, global = true, value_name = "NAME")]
    pub table: Option<String>,
    /// Another DynamoDB than the region's; by default AWS_ENDPOINT_URL_DYNAMODB
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint: Option<Endpoint>,
    /// Print JSON, an object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Answer questions with yes
    #[arg(long, global = true)]
    pub yes: bool,
    /// How many items a list asks the table for at a time; by default as many as 1 MB holds
    #[arg(long, global = true, value_name = "ITEMS")]
    pub page_size: Option<NonZeroU16>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The groups of commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Users and their passwords
    #[command(subcommand)]
    User(User),
    /// A user's sessions
    #[command(subcommand)]
    Session(Session),
    /// Clients that ask about tokens or for their own, and their secrets
    #[command(subcommand)]
    Client(Client),
    /// Take tokens out of use before they expire
    #[command(override_usage = "authctl revoke [OPTIONS] <--user NAME|--session NAME SID|--token JTI|--client ID|--key KID|--all>", after_help = AFTER_REVOKE)]
    Revoke(Revoke),
    /// Keys of access tokens
    #[command(subcommand)]
    Keys(Keys),
    /// Keys of refresh tokens
    #[command(subcommand)]
    RefreshKeys(RefreshKeys),
    /// The table itself
    #[command(subcommand)]
    Table(Table),
    /// Print a script that completes commands
    Completions {
        /// For which shell
        shell: Shell,
    },
}

/// `authctl user`.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Add a user; the password is asked for, or is the first line of standard input
    Add {
        /// The new user.
        #[command(flatten)]
        user: Named,
        /// The claim `roles`: words, separated by spaces
        #[arg(long, value_name = "WORDS", value_parser = Roles::parse)]
        roles: Option<Roles>,
        /// The widest scope of the user's tokens: words, separated by spaces
        #[arg(long, value_name = "WORDS", value_parser = Scope::parse)]
        scope: Option<Scope>,
    },
    /// Show a user
    Show(Named),
    /// List all users, in no order; it reads the whole table
    List,
    /// Refuse a user's logins and refreshes from now on; `user enable` takes it back
    Disable(Named),
    /// Let a disabled user sign in and refresh again
    Enable(Named),
    /// Give a user these roles and no others; tokens have them from the next refresh on
    SetRoles {
        /// The user.
        #[command(flatten)]
        user: Named,
        /// The roles; none takes all away
        #[arg(value_name = "ROLE", value_parser = Roles::parse)]
        roles: Vec<Roles>,
    },
    /// Let a user's tokens have this scope at most, from the next refresh on
    SetScope {
        /// The user.
        #[command(flatten)]
        user: Named,
        /// The words of the scope; none takes all away
        #[arg(value_name = "WORD", value_parser = Scope::parse)]
        scope: Vec<Scope>,
    },
    /// Set a user's password, asked for or the first line of standard input, and end all of the user's sessions
    SetPassword(Named),
    /// Delete a user with all sessions, for ever
    Delete(Named),
}

/// A user, by name.
#[derive(Debug, Args)]
pub struct Named {
    /// What the user signs in with
    #[arg(value_parser = LoginName::parse)]
    pub name: LoginName,
}

/// `authctl session`.
#[derive(Debug, Subcommand)]
pub enum Session {
    /// List a user's sessions, those that have ended or expired and were not swept up yet among them
    List(Named),
    /// End a session, or all of a user's at once: their next refresh is refused
    #[command(override_usage = "authctl session end [OPTIONS] <NAME> <SID|--all>")]
    End {
        /// The user.
        #[command(flatten)]
        user: Named,
        /// Which session, or all.
        #[command(flatten)]
        which: Which,
    },
}

/// One session or all.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The session's id, the claim `sid`
    #[arg(value_parser = SessionId::parse)]
    pub sid: Option<SessionId>,
    /// All sessions, and every sign-in under way
    #[arg(long)]
    pub all: bool,
}

/// `authctl client`.
#[derive(Debug, Subcommand)]
pub enum Client {
    /// Add a client; its secret is printed now and never again
    Add {
        /// The new client.
        #[command(flatten)]
        client: Identified,
        /// What it is, for whoever lists clients
        #[arg(long, value_name = "TEXT", value_parser = description)]
        description: Option<String>,
        /// What it may do: words of introspect, client_credentials and token_exchange; by default introspect
        #[arg(long, value_name = "WORDS", value_parser = Grants::parse)]
        grants: Option<Grants>,
        /// The widest scope of its tokens, of its own and of those that it exchanges: words, separated by spaces
        #[arg(long, value_name = "WORDS", value_parser = Scope::parse)]
        scope: Option<Scope>,
        /// How long its tokens live, if less long than those of users: 60 to 3600 seconds
        #[arg(long, value_name = "SECONDS", value_parser = token_life)]
        token_life: Option<Duration>,
    },
    /// List all clients, in no order; it reads the whole table
    List,
    /// Let a client do this and nothing else, from its next request on
    SetGrants {
        /// The client.
        #[command(flatten)]
        client: Identified,
        /// What it may do; without any it may do nothing
        #[arg(value_name = "GRANT", value_parser = Grants::parse)]
        grants: Vec<Grants>,
    },
    /// Let a client's tokens have this scope at most, from its next request on
    SetScope {
        /// The client.
        #[command(flatten)]
        client: Identified,
        /// The words of the scope; none takes all away
        #[arg(value_name = "WORD", value_parser = Scope::parse)]
        scope: Vec<Scope>,
    },
    /// Give a client another secret, printed now and never again; the one before is refused from now on
    Rotate(Identified),
    /// Remove a client; its secret is refused from now on
    Remove(Identified),
}

/// A client, by its identifier.
#[derive(Debug, Args)]
pub struct Identified {
    /// The client's identifier: letters, digits, dots, underscores and hyphens
    #[arg(value_parser = ClientId::parse)]
    pub id: ClientId,
}

fn description(text: &str) -> Result<String, &'static str> {
    let is_short = (1..=200).contains(&text.chars().count());
    if is_short { Ok(text.to_owned()) } else { Err("expected 1 to 200 characters") }
}

fn token_life(text: &str) -> Result<Duration, String> {
    let (least, most) = TOKEN_LIFE_BOUNDS;
    let life = text.parse().ok().map(Duration::from_secs).filter(|life| (least..=most).contains(life));
    life.ok_or_else(|| format!("expected {} to {} seconds", least.as_secs(), most.as_secs()))
}

/// `authctl revoke`: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Revoke {
    /// All of a user's sessions and tokens, and every sign-in under way, as `session end NAME --all`
    #[arg(long, value_name = "NAME", value_parser = LoginName::parse)]
    pub user: Option<LoginName>,
    /// One session and its tokens, as `session end NAME SID`
    #[arg(long, num_args = 2, value_names = ["NAME", "SID"])]
    pub session: Option<Vec<String>>,
    /// One access token, by its claim `jti`; its session goes on
    #[arg(long, value_name = "JTI", value_parser = claim)]
    pub token: Option<String>,
    /// The access tokens that a client was given until now, by the claim `client_id`
    #[arg(long, value_name = "ID", value_parser = claim)]
    pub client: Option<String>,
    /// All access tokens under a signing key, by its `kid`
    #[arg(long, value_name = "KID", value_parser = claim, allow_hyphen_values = true)]
    pub key: Option<String>,
    /// All sessions and tokens of all users, and every sign-in under way; it reads the whole table
    #[arg(long)]
    pub all: bool,
}

/// What can stand in a token, and in a key of the table.
fn claim(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.len() <= MAX_ID_LENGTH;
    fits.then(|| text.to_owned()).ok_or_else(|| format!("expected 1 to {MAX_ID_LENGTH} bytes"))
}

/// `authctl keys`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make keys for SIGNING_KEY, REFRESH_KEYS and JWKS, where keys do not take turns by the table
    Create {
        /// The value of SIGNING_ALGORITHM
        #[arg(long, value_name = "ALGORITHM")]
        algorithm: Algorithm,
        /// A new file for {"signing_key", "refresh_keys"}, readable by you only
        #[arg(long, value_name = "FILE")]
        secret: PathBuf,
        /// The file of the JWK Set; if it exists, the new key is added
        #[arg(long, value_name = "FILE")]
        jwks: PathBuf,
    },
    /// List the keys in the table and what they are at this moment, or those of a JWK Set
    List {
        /// The file of a JWK Set
        #[arg(long, value_name = "FILE")]
        jwks: Option<PathBuf>,
    },
    /// Let the next key sign as soon as every verifier knows it; without any keys, make the first ones
    #[command(after_help = AFTER_ROTATE)]
    Rotate,
    /// Take a key out of use at once, and all access tokens under it; the next key signs from then on
    #[command(after_help = AFTER_KILL)]
    Kill {
        /// The key
        #[arg(value_parser = claim, allow_hyphen_values = true)]
        kid: String,
    },
}

/// `authctl refresh-keys`.
#[derive(Debug, Subcommand)]
pub enum RefreshKeys {
    /// List the ids of the keys, and which one makes tokens
    #[command(after_help = AFTER_REFRESH_KEYS)]
    List,
    /// Put a new key first: within ten minutes it makes tokens; the others still recognise theirs
    #[command(after_help = AFTER_REFRESH_KEYS)]
    Rotate,
    /// Drop a key: whoever has a refresh token under it signs in again; if it was the first, the next one makes tokens
    #[command(after_help = AFTER_REFRESH_KEYS)]
    Drop {
        /// The key's id
        id: u8,
    },
}

/// The values of `SIGNING_ALGORITHM`.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Algorithm {
    /// RSA of 2048 bits: every verifier knows it
    RS256,
    /// ECDSA on P-256
    ES256,
    /// Ed25519
    EdDSA,
    /// A shared key, never published: the JWK Set is a secret, too
    HS256,
}

/// `authctl table`.
#[derive(Debug, Subcommand)]
pub enum Table {
    /// Create the table, unless it is there; on AWS the template does it, with backups
    Create,
    /// Check that the table is as it must be, and should be
    Check,
}
