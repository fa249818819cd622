//! Many runs on as many threads as there are cores. Each has its seed, so the order in which they end changes nothing.

use std::num::NonZero;
use std::ops::Range;
use std::panic::resume_unwind;
use std::thread;

/// What `run` gives for each thread's share of the numbers below `count`, in their order.
pub fn shares<T: Send>(count: u64, run: impl Fn(Range<u64>) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = count.div_ceil(u64::try_from(threads).unwrap_or(1)).max(1);
    let run = &run;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..count.div_ceil(share))
            .map(|worker| scope.spawn(move || run(worker * share..count.min((worker + 1) * share))))
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// What `run` gives for each number below `count`, in their order.
pub fn each<T: Send>(count: u64, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    shares(count, |numbers| numbers.map(&run).collect::<Vec<T>>()).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_once_and_in_order() {
        for count in [0, 1, 2, 3, 17] {
            assert_eq!(each(count, |number| number), (0..count).collect::<Vec<_>>());
        }
    }
}
