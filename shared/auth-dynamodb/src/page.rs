//! Answers that come in pages.

use std::fmt;

use crate::error::StoreError;
use crate::item::Item;

/// A part of a list, as much as one call brings. It may be empty although more follows.
#[derive(Debug)]
pub struct Page<T> {
    /// What was found, in the table's order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}

/// Where a list goes on: the last key that was looked at.
#[derive(Clone)]
pub struct Cursor(Item);

impl Cursor {
    pub(crate) const fn new(key: Item) -> Self {
        Self(key)
    }

    pub(crate) fn into_key(self) -> Item {
        self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Cursor(..)") // it may hold a login name
    }
}

impl<T> Page<T> {
    /// What `read` makes of the items of an answer.
    pub(crate) fn read(
        items: Vec<Item>,
        last_key: Option<Item>,
        read: impl Fn(Item) -> Result<T, StoreError>,
    ) -> Result<Self, StoreError> {
        Ok(Self { items: items.into_iter().map(read).collect::<Result<_, _>>()?, next: last_key.map(Cursor) })
    }
}
