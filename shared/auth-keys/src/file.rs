//! A file that only its owner may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::material::Material;
use crate::vault::{Held, VaultError, Version, Written};

/// The rights of anybody but the owner.
const OTHERS: u32 = 0o077;

/// Keys in a file.
#[derive(Debug)]
pub struct FileVault {
    path: PathBuf,
}

impl FileVault {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn read(&self) -> Result<Held, VaultError> {
        let text = self.text()?;
        Ok(Held { material: Material::parse(&text)?, version: Version::of(&text) })
    }

    fn text(&self) -> Result<Zeroizing<String>, VaultError> {
        let mut text = Zeroizing::new(String::new());
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(text),
            Err(error) => return Err(unavailable("read", &error)),
        };
        let mode = file.metadata().map_err(|error| unavailable("read", &error))?.mode();
        if mode & OTHERS != 0 {
            return Err(VaultError::Open);
        }
        file.read_to_string(&mut text).map_err(|error| unavailable("read", &error))?;
        Ok(text)
    }

    pub(crate) fn write(&self, read: &Version, json: &str) -> Result<Written, VaultError> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        // The new file is the lock: there is one of its name.
        let lock = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
        let mut file = lock.map_err(|error| unavailable("write of FILE.new", &error))?;
        let written = self.text().and_then(|now| {
            if Version::of(&now) != *read {
                return Ok(Written::Meanwhile);
            }
            let done = file.write_all(json.as_bytes()).and_then(|()| fs::rename(&beside, &self.path));
            done.map(|()| Written::Done).map_err(|error| unavailable("write", &error))
        });
        if written != Ok(Written::Done) {
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

fn unavailable(operation: &'static str, error: &io::Error) -> VaultError {
    VaultError::Unavailable { operation, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use auth_core::entropy::OsEntropy;
    use auth_core::generate;
    use auth_core::time::UnixTime;

    use super::*;

    fn vault(name: &str) -> FileVault {
        let path = std::env::temp_dir().join(format!("countersign-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        FileVault::new(path)
    }

    #[test]
    fn a_file_is_its_owners_and_changes_from_what_was_read() {
        let vault = vault("file-vault");
        let empty = vault.read().unwrap();
        assert_eq!(vault.write(&empty.version, "{}"), Ok(Written::Done));
        assert_eq!(vault.write(&empty.version, "{ }"), Ok(Written::Meanwhile));
        assert_eq!(fs::metadata(&vault.path).unwrap().mode() & 0o777, 0o600);
        let read = vault.read().unwrap();
        assert_eq!(vault.write(&read.version, "{ }"), Ok(Written::Done));
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&vault.path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(vault.read().err(), Some(VaultError::Open), "{mode:o}");
        }
        fs::remove_file(&vault.path).unwrap();
    }

    #[test]
    fn what_was_read_shows_no_key() {
        let vault = vault("file-vault-shown");
        let text = generate::signing_key("ES256", &OsEntropy).unwrap();
        let refresh_keys = generate::refresh_keys(&OsEntropy).unwrap();
        let (material, _) = Material::default().with_signing_key("ES256", text.clone(), UnixTime::default()).unwrap();
        let json = material.with_refresh_keys(refresh_keys.clone()).json().unwrap();
        assert_eq!(vault.write(&vault.read().unwrap().version, &json), Ok(Written::Done));
        let shown = format!("{:?}", vault.read().unwrap());
        let secrets = text.lines().filter(|line| !line.starts_with('-')).chain([&refresh_keys[2..]]);
        assert_eq!(secrets.filter(|secret| shown.contains(secret)).count(), 0, "{shown}");
        fs::remove_file(&vault.path).unwrap();
    }
}
