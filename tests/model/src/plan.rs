//! What kind of history is searched for: who takes part, what may happen, and how often.

use crate::rng::Rng;
use crate::step::{Asked, Change, Fate, Step};
use crate::table::Table;
use crate::world::{Cast, DOORS, World};

/// The windows, in seconds, that histories are searched for.
pub const WINDOWS: [u64; 3] = [0, 10, 60];

/// Times that go by, in seconds: around a request's life, the windows, the rests, the lives of sessions.
const WAITS: [u32; 14] = [1, 2, 4, 5, 9, 11, 51, 61, 80, 91, 121, 600, 3_600, 7_100];

/// What may happen in a history.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a kind of event by itself")]
pub struct Plan {
    /// Which of [`WINDOWS`].
    pub window: usize,
    /// Who takes part.
    pub cast: Cast,
    thief: Thief,
    faults: bool,
    changes: bool,
    restores: bool,
    echoes: bool,
    /// Whether access tokens are used.
    knocks: bool,
    length: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thief {
    None,
    Once,
    Often,
}

impl Plan {
    /// The plan of a seed: every kind of history comes up.
    pub fn draw(rng: &mut Rng) -> Self {
        let private = rng.once_in(20);
        Self {
            window: usize::try_from(rng.below(3)).unwrap_or_default(),
            cast: Cast { clients: if private || rng.once_in(3) { 2 } else { 1 }, private },
            thief: match rng.below(4) {
                0 | 1 => Thief::None,
                2 => Thief::Once,
                _ => Thief::Often,
            },
            faults: !rng.once_in(4),
            changes: rng.once_in(4),
            restores: rng.once_in(8),
            echoes: rng.once_in(20),
            length: 20 + rng.below(80),
            knocks: rng.once_in(3),
        }
    }

    /// How many steps a history of this plan has.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The next step: one of those that can be taken, by weight.
    pub(crate) fn choose<T: Table>(&self, world: &World<'_, T>, rng: &mut Rng) -> Step {
        let (requests, operations, answers) = world.counts();
        let at = |rng: &mut Rng, count: usize| u8::try_from(rng.below(u64::try_from(count).unwrap_or(1))).unwrap_or(0);
        loop {
            match rng.below(100) {
                0..30 if operations > 0 => {
                    return Step::Serve { operation: at(rng, operations), fate: self.fate(rng) };
                }
                30..50 if requests > 0 => {
                    return Step::Arrive { request: at(rng, requests), instance: at(rng, 3) };
                }
                50..66 if answers > 0 => return Step::Hear { answer: at(rng, answers) },
                66..76 => {
                    let scope = if rng.once_in(8) { rng.choose(&[Asked::Less, Asked::More]) } else { None };
                    return Step::Send {
                        client: at(rng, self.cast.clients.into()),
                        scope: scope.unwrap_or(Asked::All),
                    };
                }
                76..84 if self.thief != Thief::None && world.stolen() > 0 => {
                    return Step::Steal { token: at(rng, world.stolen().min(4)) };
                }
                84..86 if self.copies(world.stolen()) => return Step::Copy,
                86 => return Step::Forge { generation: at(rng, 5) },
                87..89 => return Step::GiveUp { client: at(rng, self.cast.clients.into()) },
                89 if requests > 0 => return Step::Lose { request: at(rng, requests) },
                80..86 | 92..95 if self.knocks && world.minted() > 0 => {
                    return Step::Knock { door: at(rng, DOORS), token: at(rng, world.minted().min(4)) };
                }
                90..92 if answers > 0 => return Step::Miss { answer: at(rng, answers) },
                92..98 => return wait(world, rng),
                98 if self.changes => return change(rng),
                98 if self.restores => {
                    let change = if rng.once_in(2) { Change::BackUp } else { Change::Restore };
                    return Step::Change { change, stamped: 0 };
                }
                99 if self.echoes && requests > 0 => return Step::Echo { request: at(rng, requests) },
                _ => {}
            }
        }
    }

    const fn copies(&self, stolen: usize) -> bool {
        match self.thief {
            Thief::None => false,
            Thief::Once => stolen == 0,
            Thief::Often => true,
        }
    }

    fn fate(&self, rng: &mut Rng) -> Fate {
        let odd = [Fate::DoneAndRepeated, Fate::Fault, Fate::DoneAndFault, Fate::CrashBefore, Fate::CrashAfter];
        let odd = if self.faults && rng.once_in(8) { rng.choose(&odd) } else { None };
        odd.unwrap_or(Fate::Done)
    }
}

/// Most waits are short while something is under way, which a longer one would end. Some go to about the end of the
/// session's time.
fn wait<T: Table>(world: &World<'_, T>, rng: &mut Rng) -> Step {
    let (short, _) = WAITS.split_at(5);
    let (requests, operations, answers) = world.counts();
    if rng.once_in(12) {
        let around = u32::try_from(rng.below(100)).unwrap_or_default();
        return Step::Wait { seconds: (world.seconds_left() + around).saturating_sub(80) };
    }
    let is_short = requests + operations + answers > 0 && !rng.once_in(4);
    let seconds = if is_short { rng.choose(short) } else { rng.choose(&WAITS) };
    Step::Wait { seconds: seconds.unwrap_or(1) }
}

/// A stamp is up to 5 s old when it lands, by a clock that is up to 5 s off; and one is an hour ahead.
const STAMPS: [i32; 6] = [0, 5, -5, -9, -10, 3600];

fn change(rng: &mut Rng) -> Step {
    let changes = [
        Change::Logout,
        Change::Disable,
        Change::Password,
        Change::Others,
        Change::Delete,
        Change::LessScope,
        Change::WholeScope,
    ];
    let change = rng.choose(&changes).unwrap_or(Change::Logout);
    Step::Change { change, stamped: rng.choose(&STAMPS).unwrap_or(0) }
}
