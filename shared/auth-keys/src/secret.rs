//! A secret of AWS Secrets Manager.
//!
//! A version of the secret is written under a name that follows from the version before it. Secrets Manager refuses another
//! text under a name that is taken, so of two writers who have read the same version one is told to read again.

use std::time::Duration;

use auth_dynamodb::error::Reason;
use auth_dynamodb::patience::{self, Patience};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Builder};
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;

use crate::material::{Material, MaterialError};
use crate::vault::{Held, VaultError, Version, Written};

const PATIENCE: Patience =
    Patience { connect: Duration::from_millis(500), attempt: Duration::from_secs(1), call: Duration::from_secs(3) };

/// Longer texts are none of ours: Secrets Manager takes 64 KB.
const LONGEST: usize = 64 * 1024;

/// Keys in a secret.
#[derive(Debug)]
pub struct SecretVault {
    client: Client,
    name: String,
}

impl SecretVault {
    pub(crate) async fn from_environment(name: String) -> Self {
        let shared = aws_config::defaults(BehaviorVersion::latest()).load().await;
        Self::of(Builder::from(&shared), name)
    }

    fn of(config: Builder, name: String) -> Self {
        let config = config.timeout_config(PATIENCE.timeouts()).retry_config(patience::retries());
        Self { client: Client::from_conf(config.build()), name }
    }

    pub(crate) async fn read(&self) -> Result<Held, VaultError> {
        let found = match self.client.get_secret_value().secret_id(&self.name).send().await {
            Ok(found) => found,
            Err(error) if self.is_empty(&error).await => {
                return Ok(Held { material: Material::default(), version: Version(String::new()) });
            }
            Err(error) => return Err(unavailable("GetSecretValue", &error)),
        };
        // A version without any contents is as empty as a secret without any version.
        let text = found.secret_string().or(found.secret_binary().is_none().then_some(""));
        let text = text.filter(|text| text.len() <= LONGEST).ok_or(MaterialError::Malformed)?;
        let version = found.version_id().filter(|id| !id.is_empty()).ok_or(MaterialError::Malformed)?;
        Ok(Held { material: Material::parse(text)?, version: Version(version.to_owned()) })
    }

    /// A secret that was just created has no value, which is reported like one that is not there.
    async fn is_empty(&self, error: &SdkError<GetSecretValueError>) -> bool {
        let is_absent = error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception);
        is_absent && self.client.describe_secret().secret_id(&self.name).send().await.is_ok()
    }

    pub(crate) async fn write(&self, read: &Version, json: &str) -> Result<Written, VaultError> {
        let put = self.client.put_secret_value().secret_id(&self.name);
        match put.client_request_token(name_after(read)).secret_string(json).send().await {
            Ok(_) => Ok(Written::Done),
            Err(error) if error.as_service_error().is_some_and(PutSecretValueError::is_resource_exists_exception) => {
                self.overtaken(read).await
            }
            Err(error) => Err(unavailable("PutSecretValue", &error)),
        }
    }

    /// The version after the one that was read is there: somebody else was faster, or has gone back behind it.
    async fn overtaken(&self, read: &Version) -> Result<Written, VaultError> {
        let current = self.read().await?.version;
        if current == *read { Err(VaultError::MovedBack) } else { Ok(Written::Meanwhile) }
    }
}

/// The name of the version after this one.
fn name_after(version: &Version) -> String {
    Version::of(&version.0).0
}

fn unavailable<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> VaultError {
    VaultError::Unavailable { operation, reason: Reason::of(error).to_string() }
}

#[cfg(test)]
pub(crate) mod server;
#[cfg(test)]
mod tests;
