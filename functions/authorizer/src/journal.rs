//! The journal in the table, of which an instance reads one copy.

use auth_core::journal::Entry;
use auth_core::time::UnixTime;
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;

use crate::watch::Journal;

/// One copy of the journal.
#[derive(Debug)]
pub struct TableJournal {
    store: Store,
    copy: u8,
}

impl TableJournal {
    /// The copy of that number.
    pub const fn new(store: Store, copy: u8) -> Self {
        Self { store, copy }
    }
}

impl Journal for TableJournal {
    type Error = StoreError;

    async fn read(&self, from: UnixTime, mut entry: impl FnMut(Entry) + Send) -> Result<u32, StoreError> {
        let (mut pages, mut after) = (0, None);
        loop {
            let page = self.store.journal(self.copy, from, after).await?;
            page.items.into_iter().for_each(&mut entry);
            pages += 1;
            after = page.next;
            if after.is_none() {
                return Ok(pages);
            }
        }
    }
}
