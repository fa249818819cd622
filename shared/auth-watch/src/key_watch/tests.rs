use std::collections::VecDeque;
use std::pin::pin;

use auth_core::jwt::Rejection;
use auth_core::time::{ManualClock, UnixTime};
use tokio::sync::oneshot;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const PACE: Pace = Pace {
    soft: Duration::from_secs(300),
    firm: Duration::from_secs(600),
    hard: Duration::from_secs(3600),
    respite: RETRY,
};

/// What a fetch brings.
enum Answer {
    /// This, at once.
    Now(Option<u32>),
    /// What the test sends later.
    Held(oneshot::Receiver<Option<u32>>),
}

/// Where the keys are: a number stands for them. It answers as planned, then 0 for ever.
#[derive(Default)]
struct Source {
    answers: std::sync::Mutex<VecDeque<Answer>>,
    begun: std::sync::atomic::AtomicUsize,
}

impl Source {
    fn answers(&self, answers: impl IntoIterator<Item = Option<u32>>) {
        self.answers.lock().unwrap().extend(answers.into_iter().map(Answer::Now));
    }

    fn holds(&self) -> oneshot::Sender<Option<u32>> {
        let (sender, receiver) = oneshot::channel();
        self.answers.lock().unwrap().push_back(Answer::Held(receiver));
        sender
    }

    /// How many fetches have begun since this was last asked.
    fn begun(&self) -> usize {
        self.begun.swap(0, std::sync::atomic::Ordering::SeqCst)
    }
}

struct World {
    watch: KeyWatch<u32>,
    source: Arc<Source>,
    clock: Arc<ManualClock>,
}

fn world(pace: Pace) -> World {
    let source = Arc::new(Source::default());
    let clock = Arc::new(ManualClock::new(UnixTime::from_seconds(1_800_000_000)));
    let asked = Arc::clone(&source);
    let watch = KeyWatch::new(Arc::clone(&clock) as Arc<dyn Clock>, pace, move |_| {
        asked.begun.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let answer = asked.answers.lock().unwrap().pop_front().unwrap_or(Answer::Now(Some(0)));
        Box::pin(async move {
            match answer {
                Answer::Now(made) => made,
                Answer::Held(held) => held.await.unwrap_or(None),
            }
        })
    });
    World { watch, source, clock }
}

/// What a future has without waiting.
async fn at_once<F: Future>(future: &mut Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

async fn known(watch: &KeyWatch<u32>) -> Result<u32, NoKeys> {
    let mut known = pin!(watch.known());
    at_once(&mut known).await.expect("known keys are not waited for").map(|made| *made)
}

#[tokio::test]
async fn an_old_copy_is_read_again_beside_its_use() {
    let World { watch, source, clock } = world(PACE);
    source.answers([Some(1), Some(2)]);
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    clock.advance(PACE.soft.saturating_sub(SECOND));
    watch.touch().await;
    assert_eq!((known(&watch).await, source.begun()), (Ok(1), 1));
    clock.advance(SECOND);
    watch.touch().await;
    assert_eq!((known(&watch).await, source.begun()), (Ok(2), 1));
}

#[tokio::test]
async fn the_last_good_copy_serves_for_its_hard_life() {
    let World { watch, source, clock } = world(PACE);
    source.answers([Some(1)]);
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    source.answers(vec![None; 4000]);
    source.begun();
    for second in 1..=PACE.hard.as_secs() {
        clock.advance(SECOND);
        watch.touch().await;
        assert_eq!(known(&watch).await, Ok(1), "second {second}");
    }
    let begun = source.begun();
    // From the 300th second on every tenth, and of the overdue every sixtieth.
    assert!((331..=331 + 51).contains(&begun), "{begun}");
    clock.advance(SECOND);
    assert_eq!(watch.known().await, Err(NoKeys));
}

#[tokio::test]
async fn a_failed_fetch_gives_respite_to_who_has_no_copy() {
    for (respite, begun) in [(RETRY, 6), (Duration::ZERO, 60)] {
        let World { watch, source, clock } = world(Pace { respite, ..PACE });
        source.answers(vec![None; begun]);
        for _ in 0..60 {
            assert_eq!(watch.known().await, Err(NoKeys));
            clock.advance(SECOND);
        }
        assert_eq!(source.begun(), begun);
        assert_eq!(watch.known().await.as_deref(), Ok(&0), "and the next one has it");
    }
}

#[tokio::test]
async fn one_failure_is_enough_for_all_who_wait() {
    let World { watch, source, .. } = world(PACE);
    let held = source.holds();
    let callers: [_; 3] = std::array::from_fn(|_| watch.known());
    let [first, second, third] = callers;
    let (mut first, mut second, mut third) = (pin!(first), pin!(second), pin!(third));
    for caller in [&mut first, &mut second, &mut third] {
        assert!(at_once(caller).await.is_none(), "there is nothing to go on with");
    }
    held.send(None).unwrap();
    for caller in [first, second, third] {
        assert_eq!(caller.await, Err(NoKeys));
    }
    assert_eq!(source.begun(), 1);
}

#[tokio::test]
async fn unknown_keys_are_looked_up_once_in_a_while() {
    let World { watch, source, clock } = world(PACE);
    source.answers([Some(1)]);
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    source.begun();
    for second in 0..60 {
        for _ in 0..100 {
            let _ = watch.look_up().await;
        }
        assert_eq!(source.begun(), usize::from(second % 10 == 0), "second {second}");
        clock.advance(SECOND);
    }
    source.answers([None]);
    assert_eq!(watch.look_up().await, Err(NoKeys), "nobody knows whether there is such a key");
    source.begun();
    clock.advance(9 * SECOND);
    assert_eq!(watch.look_up().await, Err(NoKeys), "nor does who asks soon after");
    assert_eq!((known(&watch).await, source.begun()), (Ok(0), 0));
}

#[tokio::test]
async fn nobody_with_a_known_key_waits_behind_a_look_up() {
    let World { watch, source, clock } = world(PACE);
    source.answers([Some(1)]);
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    let held = source.holds();
    let mut look_up = pin!(watch.look_up());
    assert!(at_once(&mut look_up).await.is_none());
    for age in [SECOND, PACE.soft, PACE.firm] {
        clock.advance(age);
        watch.touch().await;
        assert_eq!(known(&watch).await, Ok(1), "{age:?} later");
    }
    let mut fresh = pin!(watch.fresh());
    assert!(at_once(&mut fresh).await.is_none(), "but for those who ask to");
    held.send(Some(2)).unwrap();
    assert_eq!(look_up.await, Ok(Some(Arc::new(2))));
}

/// Where requests are served side by side, a new key is met by many at once.
#[tokio::test]
async fn who_looks_up_while_somebody_does_has_the_same_answer() {
    for (answer, expected) in [(Some(2), Ok(Some(Arc::new(2)))), (None, Err(NoKeys))] {
        let World { watch, source, .. } = world(PACE);
        source.answers([Some(1)]);
        assert_eq!(watch.known().await.as_deref(), Ok(&1));
        source.begun();
        let held = source.holds();
        let mut look_ups = [pin!(watch.look_up()), pin!(watch.look_up()), pin!(watch.look_up())];
        for look_up in &mut look_ups {
            assert!(at_once(look_up).await.is_none());
        }
        held.send(answer).unwrap();
        for look_up in look_ups {
            assert_eq!(look_up.await, expected);
        }
        assert_eq!(source.begun(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn who_looks_up_trusts_no_fetch_that_was_under_way() {
    let World { watch, source, clock } = world(PACE);
    source.answers([Some(1)]);
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    clock.advance(PACE.soft);
    let _held = source.holds();
    watch.touch().await;
    source.answers([Some(3)]);
    assert_eq!(watch.look_up().await, Ok(Some(Arc::new(3))));
}

#[tokio::test]
async fn one_caller_in_a_minute_waits_for_what_is_overdue() {
    let World { watch, source, clock } = world(PACE);
    source.answers([Some(1)]);
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    clock.advance(PACE.soft);
    let _frozen = source.holds();
    watch.touch().await;
    clock.advance(PACE.firm.saturating_sub(PACE.soft));
    let held = source.holds();
    let mut waiting = pin!(watch.known());
    assert!(at_once(&mut waiting).await.is_none(), "by a fetch of its own, since the other one was frozen");
    assert_eq!((known(&watch).await, known(&watch).await), (Ok(1), Ok(1)), "nobody else");
    held.send(None).unwrap();
    assert_eq!(waiting.await.as_deref(), Ok(&1), "what was known before");
    source.begun();
    clock.advance(59 * SECOND);
    assert_eq!((known(&watch).await, source.begun()), (Ok(1), 0));
    clock.advance(SECOND);
    source.answers([Some(2)]);
    assert_eq!((known(&watch).await, source.begun()), (Ok(2), 1));
}

#[tokio::test]
async fn whoever_never_waits_carries_the_fetch_on() {
    let World { watch, source, clock } = world(PACE);
    source.answers([Some(1)]);
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    clock.advance(PACE.soft);
    let held = source.holds();
    for _ in 0..3 {
        watch.touch().await;
        clock.advance(SECOND);
    }
    held.send(Some(2)).unwrap();
    assert_eq!(known(&watch).await, Ok(1));
    watch.touch().await;
    assert_eq!((known(&watch).await, source.begun()), (Ok(2), 2));
}

#[tokio::test]
async fn whoever_gives_up_leaves_the_fetch_to_the_next() {
    let World { watch, source, .. } = world(PACE);
    let held = source.holds();
    {
        let mut first = pin!(watch.known());
        assert!(at_once(&mut first).await.is_none());
    }
    held.send(Some(7)).unwrap();
    assert_eq!((known(&watch).await, source.begun()), (Ok(7), 1));
}

/// Judges a token whose key only this copy has.
async fn judge(watch: &KeyWatch<u32>, needs: u32) -> Result<Result<u32, Rejection>, NoKeys> {
    watch.judge(|made| if *made == needs { Ok(*made) } else { Err(Rejection::UnknownKey) }).await
}

const UNKNOWN: Result<Result<u32, Rejection>, NoKeys> = Ok(Err(Rejection::UnknownKey));

#[tokio::test]
async fn who_has_waited_for_the_keys_looks_nothing_up() {
    let World { watch, source, clock } = world(PACE);
    assert_eq!((judge(&watch, 9).await, source.begun()), (UNKNOWN, 1), "there was no copy");
    clock.advance(PACE.firm);
    assert_eq!((judge(&watch, 9).await, source.begun()), (UNKNOWN, 1), "it was overdue");
    clock.advance(PACE.hard + SECOND);
    assert_eq!((judge(&watch, 9).await, source.begun()), (UNKNOWN, 1), "it was too old");
    source.answers([Some(9)]);
    assert_eq!((judge(&watch, 9).await, source.begun()), (Ok(Ok(9)), 1), "the turn to look one up was not taken");
}

/// It may have asked before the key was there.
#[tokio::test]
async fn who_has_waited_for_a_fetch_that_was_under_way_looks_the_key_up() {
    let World { watch, source, clock } = world(PACE);
    source.answers([Some(1)]);
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    clock.advance(PACE.firm);
    let held = source.holds();
    watch.touch().await;
    source.answers([Some(2)]);
    held.send(Some(1)).unwrap();
    assert_eq!((judge(&watch, 2).await, source.begun()), (Ok(Ok(2)), 3));
}

#[tokio::test]
async fn what_was_read_before_is_as_old_as_it_is() {
    let World { watch, source, clock } = world(PACE);
    let began = clock.moment();
    let watch = watch.with(7, began);
    clock.advance(PACE.soft.saturating_sub(SECOND));
    watch.touch().await;
    assert_eq!((known(&watch).await, source.begun()), (Ok(7), 0));
    clock.advance(SECOND);
    watch.touch().await;
    assert_eq!((known(&watch).await, source.begun()), (Ok(0), 1));
}

#[tokio::test]
async fn a_fetch_goes_on_for_as_long_as_the_work_beside_it() {
    let World { watch, source, clock } = world(PACE);
    assert_eq!(watch.beside(async { 5 }).await, 5);
    assert_eq!((known(&watch).await, source.begun()), (Ok(0), 1), "one step was enough");
    clock.advance(PACE.soft);
    let (held, (go, gone)) = (source.holds(), oneshot::channel::<()>());
    let mut beside = pin!(watch.beside(gone));
    assert!(at_once(&mut beside).await.is_none());
    held.send(Some(2)).unwrap();
    assert!(at_once(&mut beside).await.is_none());
    assert_eq!((known(&watch).await, source.begun()), (Ok(2), 1));
    clock.advance(PACE.soft);
    let _held = source.holds();
    go.send(()).unwrap();
    assert!(at_once(&mut beside).await.is_some(), "work that is done waits for no fetch");
    assert_eq!((known(&watch).await, source.begun()), (Ok(2), 1));
}
