use auth_core::entropy::OsEntropy;
use auth_core::time::SystemClock;

use super::*;
use crate::secret::server::{JSON, Server};

const CLOCK: SystemClock = SystemClock;

/// Keepers of a secret with the key 1.
async fn keepers<const N: usize>() -> (Server, [RefreshKeeper; N]) {
    let server = Server::start(Some(JSON)).await;
    let keepers = std::array::from_fn(|_| RefreshKeeper { vault: Vault::Secret(server.vault()) });
    (server, keepers)
}

#[tokio::test]
async fn a_key_is_put_first_and_one_is_dropped() {
    let (_, [keeper]) = keepers().await;
    let rotated = keeper.rotate(&OsEntropy, &CLOCK).await.unwrap();
    let [second, 1] = rotated[..] else { panic!("{rotated:?}") };
    assert_eq!(keeper.ids().await.unwrap(), rotated);
    let third = keeper.rotate(&OsEntropy, &CLOCK).await.unwrap()[0];
    assert_eq!(keeper.drop_key(third).await, Ok(vec![second, 1]), "the first: the next one makes tokens");
    assert_eq!(keeper.drop_key(1).await, Ok(vec![second]));
    assert_eq!(keeper.drop_key(1).await, Err(RefreshKeepError::NoKey(1)));
    assert_eq!(keeper.drop_key(second).await, Err(RefreshKeepError::Only(second)));
    assert_eq!(keeper.ids().await, Ok(vec![second]));
}

#[tokio::test]
async fn of_changes_at_the_same_moment_none_is_lost() {
    let (_, [one, other, third]) = keepers().await;
    let (one, other) = tokio::join!(one.rotate(&OsEntropy, &CLOCK), other.rotate(&OsEntropy, &CLOCK));
    let (mut firsts, mut all) = ([one.unwrap()[0], other.unwrap()[0]], third.ids().await.unwrap());
    assert_eq!(all.pop(), Some(1));
    firsts.sort_unstable();
    all.sort_unstable();
    assert_eq!(all, firsts);
}

#[tokio::test]
async fn a_vault_without_such_keys_gets_none() {
    let none = RefreshKeepError::Vault(VaultError::Material(MaterialError::NoRefreshKeys));
    let malformed = RefreshKeepError::Vault(VaultError::Material(MaterialError::Malformed));
    for (text, expected) in
        [("", &none), (r#"{"signing_keys":{}}"#, &none), (r#"{"refresh_keys":"x"}"#, &none), ("[]", &malformed)]
    {
        let (server, [keeper]) = keepers().await;
        server.put(text);
        server.calls();
        assert_eq!(keeper.ids().await.as_ref(), Err(expected), "{text}");
        assert_eq!(keeper.rotate(&OsEntropy, &CLOCK).await.as_ref(), Err(expected), "{text}");
        assert_eq!(keeper.drop_key(1).await.as_ref(), Err(expected), "{text}");
        assert_eq!(server.calls(), 3, "{text}: three reads, and no write");
    }
}

#[test]
fn an_id_is_one_that_is_not_in_use() {
    let all: Vec<u8> = (0..=u8::MAX).collect();
    for id in [0, 1, 200, 255] {
        let others: Vec<u8> = all.iter().copied().filter(|it| *it != id).collect();
        assert_eq!(unused_id(&others, &OsEntropy), Ok(id));
    }
    assert_eq!(unused_id(&all, &OsEntropy), Err(RefreshKeepError::Full));
    let drawn: std::collections::BTreeSet<u8> = (0..100).map(|_| unused_id(&[1], &OsEntropy).unwrap()).collect();
    assert!(drawn.len() > 20 && !drawn.contains(&1), "{drawn:?}");
}
