//! What a thief gains who copies the stored token once: how long he is answered beside the owner.
//!
//! The network is clean here, so that nothing but the thief ends a session.

use std::time::Duration;

use auth_core::time::UnixTime;

use super::honest::DAYS;
use super::phone::{DAY, Phone, REFRESH_AFTER, START, up_to};
use super::scheme::{Rules, Scheme, Token};
use crate::rng::Rng;

/// How long owner and thief are watched after the copy.
pub const HORIZON: Duration = Duration::from_hours(24 * 30);
const _: () = assert!(HORIZON.as_secs() == DAY.as_secs() * DAYS as u64);

/// What the thief does with his copy. He keeps the last token that he was given, as a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Runs ahead: refreshes at once, and then as often as a client in use, day and night.
    Ahead,
    /// Follows behind: once after each refresh of the owner's, 1 to 4 minutes later.
    Behind,
    /// Polls: refreshes every 5 seconds.
    Polls,
    /// In step by prediction: once for each refresh of the owner's, by so much too early or too late.
    Predicts(Duration),
    /// In step with an oracle: 0.3 s after each refresh of the owner's.
    After,
    /// In step with an oracle: 0.3 s before each refresh of the owner's.
    Before,
}

impl Strategy {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Ahead,
        Self::Behind,
        Self::Polls,
        Self::Predicts(Duration::from_secs(5)),
        Self::Predicts(Duration::from_secs(30)),
        Self::After,
        Self::Before,
    ];

    /// What the table calls it.
    pub fn name(self) -> String {
        match self {
            Self::Ahead => "runs ahead, every 5 min".to_owned(),
            Self::Behind => "follows 1–4 min behind".to_owned(),
            Self::Polls => "polls, every 5 s".to_owned(),
            Self::Predicts(error) => format!("predicts, ±{} s", error.as_secs()),
            Self::After => "oracle, 0.3 s after".to_owned(),
            Self::Before => "oracle, 0.3 s before".to_owned(),
        }
    }

    /// When he refreshes, in order, given when the owner does.
    fn refreshes<'a>(
        self,
        copied: UnixTime,
        owner: &'a [UnixTime],
        rng: &'a mut Rng,
    ) -> Box<dyn Iterator<Item = UnixTime> + 'a> {
        let (minute, moment) = (Duration::from_mins(1), Duration::from_millis(300));
        let around: Box<dyn FnMut(UnixTime) -> UnixTime> = match self {
            Self::Ahead => return every(REFRESH_AFTER, copied),
            Self::Polls => return every(Duration::from_secs(5), copied),
            Self::Behind => Box::new(move |at| at + minute + up_to(3 * minute, rng)),
            Self::Predicts(error) => Box::new(move |at| at.before(error) + up_to(2 * error, rng)),
            Self::After => Box::new(move |at| at + moment),
            Self::Before => Box::new(move |at| at.before(moment)),
        };
        Box::new(owner.iter().copied().map(around).map(move |at| at.max(copied)))
    }
}

fn every(period: Duration, from: UnixTime) -> Box<dyn Iterator<Item = UnixTime>> {
    Box::new(std::iter::successors(Some(from), move |at| Some(*at + period)))
}

/// How one theft went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theft {
    /// From the copy to the last answer that the thief was given; all of the [`HORIZON`] if both are still answered then.
    pub answered: Duration,
    /// How often the owner refreshed from the copy on, until one of the two was refused.
    pub owner_refreshes: u32,
    /// How it ended.
    pub end: End,
}

/// How a theft ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Both are still answered at the end of the [`HORIZON`].
    Both,
    /// The thief was refused, or the owner and with him the thief.
    ThiefOut,
    /// The owner was refused, and the thief is answered all the same.
    ThiefAlone,
}

/// One theft: the token is copied at any moment of the second day.
pub fn steal(rules: Rules, strategy: Strategy, seed: u64) -> Theft {
    let mut rng = Rng::new(seed);
    let mut refreshes = Phone::draw(&mut rng, DAYS + 2).refreshes();
    let copied = START + DAY + up_to(DAY, &mut rng);
    refreshes.retain(|at| *at <= copied + HORIZON);
    let (before, after) = refreshes.split_at(refreshes.partition_point(|at| *at <= copied));
    let mut theft = Underway::begin(rules, before, copied);
    let thief = strategy.refreshes(copied, after, &mut rng).take_while(|at| *at <= copied + HORIZON);
    let end = merged(after, thief).find_map(|(who, at)| theft.refresh(who, at));
    let answered = if end.is_some() { theft.answered } else { HORIZON };
    Theft { answered, owner_refreshes: theft.owner_refreshes, end: end.unwrap_or(End::Both) }
}

#[derive(Clone, Copy)]
enum Who {
    Owner,
    Thief,
}

/// Two sequences as one, in order.
fn merged(owner: &[UnixTime], thief: impl Iterator<Item = UnixTime>) -> impl Iterator<Item = (Who, UnixTime)> {
    let (mut owner, mut thief) = (owner.iter().copied().peekable(), thief.peekable());
    std::iter::from_fn(move || match (owner.peek(), thief.peek()) {
        (Some(first), Some(second)) if second < first => thief.next().map(|at| (Who::Thief, at)),
        (None, _) => thief.next().map(|at| (Who::Thief, at)),
        _ => owner.next().map(|at| (Who::Owner, at)),
    })
}

/// A theft under way.
struct Underway {
    session: Box<dyn Scheme>,
    owner: Token,
    thief: Token,
    copied: UnixTime,
    answered: Duration,
    owner_refreshes: u32,
}

impl Underway {
    /// The owner refreshes for a while, and then the thief copies what he holds.
    fn begin(rules: Rules, before: &[UnixTime], copied: UnixTime) -> Self {
        let mut session = rules.sign_in(START);
        let held = before.iter().fold(Token::FIRST, |held, at| session.present(held, *at).unwrap_or(held));
        Self { session, owner: held, thief: held, copied, answered: Duration::ZERO, owner_refreshes: 0 }
    }

    /// One refresh; the end, if that is one.
    fn refresh(&mut self, who: Who, at: UnixTime) -> Option<End> {
        match who {
            Who::Owner => {
                self.owner_refreshes += 1;
                let Some(token) = self.session.present(self.owner, at) else { return Some(self.owner_is_out(at)) };
                self.owner = token;
            }
            Who::Thief => {
                let Some(token) = self.session.present(self.thief, at) else { return Some(End::ThiefOut) };
                self.thief = token;
                self.answered = at.since(self.copied);
            }
        }
        None
    }

    fn owner_is_out(&mut self, at: UnixTime) -> End {
        if self.session.present(self.thief, at).is_some() { End::ThiefAlone } else { End::ThiefOut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: u64 = 25;

    fn ours(window: u64) -> Rules {
        Rules::ours(Duration::from_secs(window)).unwrap()
    }

    fn thefts(rules: Rules, strategy: Strategy) -> Vec<Theft> {
        (0..RUNS).map(|seed| steal(rules, strategy, seed)).collect()
    }

    #[test]
    fn without_a_window_no_strategy_outlives_the_owners_second_refresh() {
        for strategy in Strategy::ALL {
            for theft in thefts(ours(0), strategy) {
                assert!(theft.owner_refreshes <= 2, "{}: {theft:?}", strategy.name());
                assert_eq!(theft.end, End::ThiefOut, "{}: {theft:?}", strategy.name());
            }
        }
    }

    #[test]
    fn with_a_window_only_who_is_in_step_does() {
        let both = |strategy| thefts(ours(10), strategy).iter().filter(|theft| theft.end == End::Both).count();
        for strategy in [Strategy::Behind, Strategy::Polls] {
            for theft in thefts(ours(10), strategy) {
                assert!(theft.owner_refreshes <= 2 && theft.end == End::ThiefOut, "{}: {theft:?}", strategy.name());
            }
        }
        let [near, far] = [5, 30].map(|error| Strategy::Predicts(Duration::from_secs(error)));
        assert_eq!([near, Strategy::After, Strategy::Before].map(both), [25; 3]);
        assert_eq!([far, Strategy::Ahead].map(both), [0; 2]);
    }

    #[test]
    fn the_thief_never_goes_on_alone() {
        for rules in Rules::all().unwrap() {
            for strategy in [Strategy::Ahead, Strategy::Behind] {
                assert!(thefts(rules, strategy).iter().all(|theft| theft.end != End::ThiefAlone), "{}", rules.name());
            }
        }
    }

    /// Refuses an old token and leaves it at that: what a thief alone looks like.
    struct Lenient(Token);

    impl Scheme for Lenient {
        fn present(&mut self, token: Token, _: UnixTime) -> Option<Token> {
            (token == self.0).then(|| {
                self.0.serial += 1;
                self.0
            })
        }
    }

    #[test]
    fn a_thief_alone_is_told_from_one_who_is_out() {
        let session = Box::new(Lenient(Token::FIRST));
        let mut theft = Underway { session, ..Underway::begin(Rules::Strict, &[], START) };
        assert_eq!(theft.refresh(Who::Thief, START + DAY), None);
        assert_eq!(theft.refresh(Who::Owner, START + 2 * DAY), Some(End::ThiefAlone));
        assert_eq!((theft.answered, theft.owner_refreshes), (DAY, 1));
    }

    #[test]
    fn whoever_follows_lives_on_where_the_previous_token_is_always_fine() {
        for rules in [Rules::PreviousNew, Rules::PreviousSame] {
            let behind = thefts(rules, Strategy::Behind);
            assert!(behind.iter().all(|theft| theft.end == End::Both && theft.answered == HORIZON), "{}", rules.name());
        }
        let strict = thefts(Rules::Strict, Strategy::Behind);
        assert!(strict.iter().all(|theft| theft.answered.is_zero() && theft.owner_refreshes == 1));
    }
}
