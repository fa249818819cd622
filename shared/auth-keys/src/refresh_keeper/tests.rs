use auth_core::entropy::OsEntropy;
use auth_core::time::{ManualClock, UnixTime};

use super::*;
use crate::secret::server::{JSON, Server};

fn clock() -> ManualClock {
    ManualClock::new(UnixTime::from_seconds(1_800_000_000))
}

/// Keepers of a secret with the key 1.
async fn keepers<const N: usize>() -> (Server, [RefreshKeeper; N]) {
    let server = Server::start(Some(JSON)).await;
    let keepers = std::array::from_fn(|_| RefreshKeeper { vault: Vault::Secret(server.vault()) });
    (server, keepers)
}

#[tokio::test]
async fn a_key_is_put_first_and_one_is_dropped() {
    let (_, [keeper]) = keepers().await;
    let clock = clock();
    let rotated = keeper.rotate(&OsEntropy, &clock).await.unwrap();
    let [second, 1] = rotated[..] else { panic!("{rotated:?}") };
    assert_eq!(keeper.ids().await.unwrap(), rotated);
    clock.advance(FIRST_WAIT);
    let third = keeper.rotate(&OsEntropy, &clock).await.unwrap()[0];
    assert_eq!(keeper.drop_key(third, &clock).await, Ok(vec![second, 1]), "the first: the next one makes tokens");
    assert_eq!(keeper.drop_key(1, &clock).await, Ok(vec![second]), "at once: it is known for long");
    assert_eq!(keeper.drop_key(1, &clock).await, Err(RefreshKeepError::NoKey(1)));
    assert_eq!(keeper.drop_key(second, &clock).await, Err(RefreshKeepError::Only(second)));
    assert_eq!(keeper.ids().await, Ok(vec![second]));
}

/// Until the first key makes tokens, the one behind it is needed, and is to stay the one that is behind it.
#[tokio::test]
async fn nothing_changes_behind_a_young_key() {
    let (_, [keeper]) = keepers().await;
    let clock = clock();
    let new = keeper.rotate(&OsEntropy, &clock).await.unwrap()[0];
    clock.advance(FIRST_WAIT.saturating_sub(Duration::from_millis(1)));
    let young = RefreshKeepError::Young(Duration::from_millis(1));
    assert_eq!(young.to_string(), "the first refresh key makes no tokens yet: try again in 1 s");
    assert_eq!(keeper.rotate(&OsEntropy, &clock).await, Err(young));
    assert!(matches!(keeper.drop_key(1, &clock).await, Err(RefreshKeepError::Young(_))));
    assert_eq!(keeper.ids().await, Ok(vec![new, 1]));
    clock.advance(Duration::from_millis(1));
    assert_eq!(keeper.drop_key(1, &clock).await, Ok(vec![new]));
}

#[tokio::test]
async fn of_changes_at_the_same_moment_none_is_lost() {
    let (_, [one, other, third]) = keepers().await;
    let clock = clock();
    let [new, 1] = one.rotate(&OsEntropy, &clock).await.unwrap()[..] else { panic!("two") };
    clock.advance(FIRST_WAIT);
    let (rotated, dropped) = tokio::join!(one.rotate(&OsEntropy, &clock), other.drop_key(new, &clock));
    let newest = rotated.unwrap()[0];
    assert!(dropped.is_ok() || matches!(dropped, Err(RefreshKeepError::Young(_))), "{dropped:?}");
    let expected = if dropped.is_ok() { vec![newest, 1] } else { vec![newest, new, 1] };
    assert_eq!(third.ids().await, Ok(expected));
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
        assert_eq!(keeper.rotate(&OsEntropy, &clock()).await.as_ref(), Err(expected), "{text}");
        assert_eq!(keeper.drop_key(1, &clock()).await.as_ref(), Err(expected), "{text}");
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
