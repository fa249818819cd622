//! The file of a JWK Set. What others have put into it, stays.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use auth_core::key::{KeyError, KeySet};
use serde_json::{Value, json};

use crate::failure::Failure;

/// The rights of a file that holds secrets.
pub(crate) const OWNER_ONLY: u32 = 0o600;

/// The rights of a file that anybody may read.
const PUBLIC: u32 = 0o644;

/// A JWK Set (RFC 7517 §5) that is usable, as it stands in its file.
pub(crate) struct KeySetFile {
    path: PathBuf,
    set: Value,
    /// The rights of the file that is there.
    mode: Option<u32>,
}

impl KeySetFile {
    /// Reads a file that must be there.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let read = || Ok((fs::read_to_string(path)?, fs::metadata(path)?.permissions().mode()));
        let (text, mode) = read().map_err(|error: io::Error| Failure::file(path, error))?;
        let set = serde_json::from_str(&text).map_err(|_| Failure::file(path, KeyError::Set))?;
        Self { path: path.to_owned(), set, mode: Some(mode) }.checked()
    }

    /// Reads a file, or begins one with no key.
    pub(crate) fn read_or_begin(path: &Path) -> Result<Self, Failure> {
        match path.try_exists() {
            Ok(false) => Ok(Self { path: path.to_owned(), set: json!({"keys": []}), mode: None }),
            _ => Self::read(path),
        }
    }

    /// The set with one key more.
    pub(crate) fn with(mut self, jwk: Value) -> Result<Self, Failure> {
        if let Some(keys) = self.set.get_mut("keys").and_then(Value::as_array_mut) {
            keys.push(jwk);
        }
        self.checked()
    }

    fn checked(self) -> Result<Self, Failure> {
        match KeySet::parse(&self.set.to_string()) {
            Ok(_) => Ok(self),
            Err(error) => Err(Failure::file(&self.path, error)),
        }
    }

    /// The keys as they stand there.
    pub(crate) fn into_keys(mut self) -> Vec<Value> {
        self.set.get_mut("keys").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default()
    }

    /// Writes the file, whole or not at all.
    pub(crate) fn write(&self, is_secret: bool) -> Result<(), Failure> {
        let json = format!("{:#}", self.set);
        let mode = if is_secret { OWNER_ONLY } else { self.mode.unwrap_or(PUBLIC) };
        if self.mode.is_none() {
            return write_new(&self.path, &json, mode).map_err(|error| Failure::file(&self.path, error));
        }
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        write_new(&beside, &json, OWNER_ONLY).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::LeftOver(beside.clone()),
            _ => Failure::file(&beside, error),
        })?;
        let replaced = fs::set_permissions(&beside, Permissions::from_mode(mode))
            .and_then(|()| fs::rename(&beside, &self.path))
            .or_else(|error| undo(&beside, error));
        replaced.map_err(|error| Failure::file(&self.path, error))
    }
}

/// Writes a file that is not there yet, whole or not at all.
pub(crate) fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    writeln!(file, "{text}").or_else(|error| undo(path, error))
}

/// Removes a file that would be in the way of the next attempt.
fn undo(path: &Path, error: io::Error) -> io::Result<()> {
    // If it cannot be removed, the next attempt names it.
    let _ = fs::remove_file(path);
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_replaced_leaves_nothing_behind() {
        let folder = std::env::temp_dir().join(format!("countersign-key-set-test-{}", std::process::id()));
        let path = folder.join("jwks.json");
        fs::create_dir_all(&path).unwrap(); // a folder is not replaced by a file
        let file = KeySetFile { path: path.clone(), set: json!({"keys": []}), mode: Some(PUBLIC) };
        let refused = file.write(false).unwrap_err();
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(&refused, Failure::File { file, .. } if *file == path), "{refused:?}");
        assert_eq!(left, [path]);
    }
}
