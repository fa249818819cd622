//! The memory that Argon2id fills: one buffer, kept from hash to hash.

use std::sync::{Mutex, PoisonError};

use argon2::Block;
use zeroize::Zeroize as _;

/// Blocks for one hash at a time.
///
/// A fresh buffer costs a page fault for each 4 KiB, which is half the time of a hash; this one has had them all.
pub(crate) struct Memory(Mutex<Vec<Block>>);

impl Memory {
    /// Keeps `count` blocks, each already backed by a page.
    pub(crate) fn keep(count: usize) -> Self {
        let mut blocks = blank(count);
        // The allocator may answer with pages that exist on paper only. Wiping writes to each: nothing may leave it out.
        drop(Lease(&mut blocks));
        Self(Mutex::new(blocks))
    }

    /// Waits for its turn and runs `work` on `count` blank blocks. More than are kept are allocated for this turn only.
    pub(crate) fn lend<T>(&self, count: usize, work: impl FnOnce(Lease<'_>) -> T) -> T {
        // A panic leaves nothing behind in the buffer either, since the lease wipes it.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get_mut(..count) {
            Some(blocks) => work(Lease(blocks)),
            None => work(Lease(&mut blank(count))),
        }
    }

    /// Whether nothing is left of the last hash.
    #[cfg(test)]
    pub(crate) fn is_blank(&self) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().all(|block| block.as_ref().iter().all(|word| *word == 0))
    }
}

/// Borrowed blocks, wiped when the loan ends, however it ends.
pub(crate) struct Lease<'a>(&'a mut [Block]);

impl AsMut<[Block]> for Lease<'_> {
    fn as_mut(&mut self) -> &mut [Block] {
        self.0
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.0.iter_mut().zeroize();
    }
}

fn blank(count: usize) -> Vec<Block> {
    vec![Block::new(); count]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scribble(mut lease: Lease<'_>) -> usize {
        for block in lease.as_mut() {
            assert!(block.as_ref().iter().all(|word| *word == 0), "lent blank");
            block.as_mut().fill(u64::MAX);
        }
        lease.as_mut().len()
    }

    #[test]
    fn every_loan_is_as_long_as_asked_and_leaves_nothing() {
        let memory = Memory::keep(4);
        for count in [4, 1, 0, 5, 4] {
            assert_eq!(memory.lend(count, scribble), count);
            assert!(memory.is_blank(), "{count}");
            assert_eq!(memory.0.lock().unwrap().len(), 4, "the kept buffer stays as it is after {count}");
        }
    }

    #[test]
    fn a_panic_leaves_nothing_and_blocks_nobody() {
        let memory = Memory::keep(4);
        let fails = |mut lease: Lease<'_>| {
            lease.as_mut()[0].as_mut().fill(1);
            panic!("expected by this test");
        };
        let panicked = std::thread::scope(|scope| scope.spawn(|| memory.lend(4, fails)).join().is_err());
        assert!(panicked);
        assert!(memory.0.is_poisoned());
        assert!(memory.is_blank());
        assert_eq!(memory.lend(4, scribble), 4);
    }
}
