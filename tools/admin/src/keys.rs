//! `authctl keys create` and `list --jwks`: keys for `SIGNING_KEY`, `REFRESH_KEYS` and `JWKS`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::generate;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::ValueEnum as _;
use serde::Serialize;
use serde_json::{Value, json};

use crate::command::Algorithm;
use crate::failure::Failure;
use crate::key_set::{KeySetFile, OWNER_ONLY, write_new};
use crate::output::{Output, Row};

pub(crate) fn list(jwks: &Path, output: &mut Output<impl Write>) -> Result<(), Failure> {
    let keys = KeySetFile::read(jwks)?.into_keys();
    output.list_all(&keys.iter().map(Shown::new).collect::<Vec<_>>())
}

/// What becomes of `SIGNING_KEY` and `REFRESH_KEYS`.
#[derive(Serialize)]
struct Secret {
    signing_key: String,
    refresh_keys: String,
}

pub(crate) fn create(
    algorithm: Algorithm,
    secret: &Path,
    jwks: &Path,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let name = algorithm.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let contents = Secret {
        signing_key: generate::signing_key(&name, &OsEntropy)?,
        refresh_keys: generate::refresh_keys(&OsEntropy)?,
    };
    // Read as the functions will read it.
    let variable = |variable: &str| match variable {
        "SIGNING_ALGORITHM" => Some(name.clone()),
        "SIGNING_KEY" => Some(contents.signing_key.clone()),
        _ => None,
    };
    let key = Variables::new(&variable).signing_key()?;
    let set = KeySetFile::read_or_begin(jwks)?.with(json!(key.jwk()))?;
    write_secret(secret, &contents)?;
    if let Err(failure) = set.write(matches!(algorithm, Algorithm::HS256)) {
        // A private key whose public half is nowhere is of no use.
        let _ = fs::remove_file(secret);
        return Err(failure);
    }
    let sentence =
        format!("{name} key {}: {} is the secret, {} the JWK Set", key.kid(), secret.display(), jwks.display());
    output.done(&sentence, &json!({"kid": key.kid(), "alg": name, "secret": secret, "jwks": jwks}))
}

fn write_secret(file: &Path, contents: &Secret) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(contents).map_err(|error| Failure::file(file, error))?;
    write_new(file, &json, OWNER_ONLY).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::SecretExists(file.to_owned()),
        _ => Failure::file(file, error),
    })
}

/// A key, without what is nobody's business.
#[derive(Serialize)]
struct Shown {
    kid: String,
    alg: String,
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<usize>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
}

impl Shown {
    fn new(jwk: &Value) -> Self {
        let text = |member: &str| jwk.get(member).and_then(Value::as_str).map(str::to_owned);
        Self {
            kid: text("kid").unwrap_or_default(),
            alg: text("alg").unwrap_or_default(),
            kty: text("kty").unwrap_or_default(),
            crv: text("crv"),
            bits: text("n").or_else(|| text("k")).and_then(|number| bits(&number)),
            purpose: text("use"),
        }
    }
}

/// The length of a modulus or of a shared key. A set that was read has no modulus with leading zero bytes.
fn bits(base64url: &str) -> Option<usize> {
    Some(BASE64_URL_SAFE_NO_PAD.decode(base64url).ok()?.len() * 8)
}

impl Row for Shown {
    const COLUMNS: &[&str] = &["KID", "ALG", "TYPE", "USE"];

    fn cells(&self) -> Vec<String> {
        let size = self.bits.map(|bits| bits.to_string()).or_else(|| self.crv.clone()).unwrap_or_default();
        let purpose = self.purpose.clone().unwrap_or_default();
        vec![self.kid.clone(), self.alg.clone(), format!("{} {size}", self.kty), purpose]
    }
}
