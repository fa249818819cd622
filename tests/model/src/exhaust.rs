//! Every history of a small kind, the shortest first.
//!
//! A state is kept as the steps that lead to it, and visited by taking them again; of the states that were seen, a digest
//! is kept. So the memory is bounded by some hundred bytes a state.

use std::collections::HashSet;
use std::time::Duration;

use auth_core::config::ConfigError;

use crate::event::Violation;
use crate::parallel::shares;
use crate::rig::Rig;
use crate::step::{Asked, Change, Fate, Step};
use crate::table::Memory;
use crate::world::{Cast, World};

/// What the actors may do in a small history.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Requests that the owner sends in all.
    pub owner: usize,
    /// Requests that the thief sends in all, after one copy; none, and there is no thief.
    pub thief: usize,
    /// Requests of the owner's under way at a time.
    pub in_flight: usize,
    /// Whether requests arrive when they are sent, and the thief's are answered when they are done: who has one under way
    /// at a time may as well send it later, and a thief who hears sooner can do no less.
    pub at_once: bool,
    /// Whether requests and answers are lost, given up on, and instances die.
    pub losses: bool,
    /// Whether the owner signs out.
    pub logout: bool,
    /// How often time goes by, after the login has rested.
    pub waits: usize,
    /// How long, in seconds.
    pub seconds: &'static [u32],
}

/// The small kinds: what they are called, the window in seconds, the bounds.
pub const KINDS: [(&str, u64, Bounds); 4] = [
    ("two requests in flight", 0, TWO_REQUESTS),
    ("two requests in flight", 10, TWO_REQUESTS),
    ("owner and thief, three requests each", 0, TWO_ACTORS),
    ("owner and thief, three requests each", 10, TWO_ACTORS),
];

const TWO_REQUESTS: Bounds = Bounds {
    owner: 3,
    thief: 0,
    in_flight: 2,
    at_once: false,
    losses: true,
    logout: false,
    waits: 2,
    seconds: &[11, 91],
};
const TWO_ACTORS: Bounds = Bounds {
    owner: 3,
    thief: 3,
    in_flight: 1,
    at_once: true,
    losses: false,
    logout: false,
    waits: 2,
    seconds: &[5, 91],
};

/// What a search found.
#[derive(Debug)]
pub struct Explored {
    /// How many states there are.
    pub states: usize,
    /// How many steps led from one to another.
    pub steps: usize,
    /// The longest history, in steps.
    pub depth: usize,
    /// The shortest history that breaks a promise, as a dialogue.
    pub broken: Option<(Violation, String)>,
}

const CAST: Cast = Cast { clients: 1, private: false };
const SEED: u64 = 1;

/// How every history begins: the token of the login may be used up.
const RESTED: Step = Step::Wait { seconds: 91 };

/// What one thread finds at one level.
#[derive(Default)]
struct Level {
    steps: usize,
    /// The states that were not seen before: their digests, and the steps that lead to them.
    found: Vec<(u64, Path)>,
    broken: Option<(Violation, Path)>,
}

type Path = Vec<Step>;

/// Visits every state within the bounds.
///
/// # Errors
///
/// [`ConfigError`] for a window over 60 s.
pub fn explore(window: Duration, bounds: &Bounds) -> Result<Explored, ConfigError> {
    let mut seen = HashSet::new();
    let mut level: Vec<Path> = vec![vec![RESTED]];
    let mut explored = Explored { states: 1, steps: 0, depth: 0, broken: None };
    while !level.is_empty() {
        let parts = shares(u64::try_from(level.len()).unwrap_or(u64::MAX), |numbers| {
            let index = |number| usize::try_from(number).unwrap_or(usize::MAX);
            let paths = level.get(index(numbers.start)..index(numbers.end)).unwrap_or_default();
            Ok(expand(&Rig::new(window)?, bounds, paths, &seen))
        });
        level.clear();
        for part in parts {
            let part = part?;
            explored.steps += part.steps;
            if let Some((violation, path)) = part.broken {
                explored.broken = Some((violation, tell(&Rig::new(window)?, bounds, &path)));
                return Ok(explored);
            }
            level.extend(part.found.into_iter().filter_map(|(digest, path)| seen.insert(digest).then_some(path)));
        }
        explored.states += level.len();
        explored.depth += usize::from(!level.is_empty());
    }
    Ok(explored)
}

/// Takes each step that can follow each path.
fn expand(rig: &Rig, bounds: &Bounds, paths: &[Path], seen: &HashSet<u64>) -> Level {
    let mut level = Level::default();
    let mut own = HashSet::new();
    for path in paths {
        for step in possible(rig, bounds, path) {
            level.steps += 1;
            let path: Path = path.iter().copied().chain([step]).collect();
            let mut world = World::new(rig, CAST, Memory::default(), SEED, false);
            if let Some(violation) = path.iter().find_map(|step| take(&mut world, bounds, *step).err()) {
                level.broken = Some((violation, path));
                return level;
            }
            let digest = world.digest(&left(bounds, &path));
            if !seen.contains(&digest) && own.insert(digest) {
                level.found.push((digest, path));
            }
        }
    }
    level
}

fn take(world: &mut World<'_, Memory>, bounds: &Bounds, step: Step) -> Result<(), Violation> {
    world.step(step)?;
    if bounds.at_once { world.serve_at_once() } else { world.serve_reads() }
}

fn tell(rig: &Rig, bounds: &Bounds, path: &[Step]) -> String {
    let mut world = World::new(rig, CAST, Memory::default(), SEED, true);
    let _ = path.iter().try_for_each(|step| take(&mut world, bounds, *step));
    world.into_story()
}

/// What is left of the bounds: it belongs to the state.
fn left(bounds: &Bounds, path: &[Step]) -> [usize; 4] {
    let count = |is: fn(&Step) -> bool| path.iter().filter(|step| is(step)).count();
    [
        bounds.owner.saturating_sub(count(|step| matches!(step, Step::Send { .. }))),
        bounds.thief.saturating_sub(count(|step| matches!(step, Step::Steal { .. }))),
        (bounds.waits + 1).saturating_sub(count(|step| matches!(step, Step::Wait { .. }))),
        usize::from(bounds.logout).saturating_sub(count(|step| matches!(step, Step::Change { .. }))),
    ]
}

/// The steps that can follow.
fn possible(rig: &Rig, bounds: &Bounds, path: &[Step]) -> Vec<Step> {
    let mut world = World::new(rig, CAST, Memory::default(), SEED, false);
    let _ = path.iter().try_for_each(|step| take(&mut world, bounds, *step));
    let [owner, thief, waits, logout] = left(bounds, path);
    let (requests, operations, answers) = world.counts();
    let (can_send, can_give_up) = world.client_can();
    let small = |count: usize| 0..u8::try_from(count).unwrap_or(u8::MAX);
    let mut steps = Vec::new();
    if can_send && owner > 0 && world.under_way(false) < bounds.in_flight {
        steps.push(Step::Send { client: 0, scope: Asked::All });
    }
    for request in small(requests) {
        steps.push(Step::Arrive { request, instance: 0 });
    }
    for operation in small(operations) {
        steps.push(Step::Serve { operation, fate: Fate::Done });
    }
    for answer in small(answers) {
        steps.push(Step::Hear { answer });
    }
    if bounds.losses {
        steps.extend(small(requests).map(|request| Step::Lose { request }));
        steps.extend(
            small(operations).flat_map(|operation| {
                [Fate::CrashBefore, Fate::CrashAfter].map(|fate| Step::Serve { operation, fate })
            }),
        );
        steps.extend(small(answers).map(|answer| Step::Miss { answer }));
        steps.extend(can_give_up.then_some(Step::GiveUp { client: 0 }));
    }
    if bounds.thief > 0 {
        // Of what the owner keeps, it matters that it was copied, not when.
        let is_new = path.len() == 1 || matches!(path.last(), Some(Step::Hear { .. }));
        steps.extend((world.stolen() == 0 && is_new).then_some(Step::Copy));
        if thief > 0 && world.under_way(true) == 0 {
            steps.extend(small(world.stolen()).map(|token| Step::Steal { token }));
        }
    }
    if waits > 0 && !matches!(path.last(), Some(Step::Wait { .. })) {
        steps.extend(bounds.seconds.iter().map(|seconds| Step::Wait { seconds: *seconds }));
    }
    if logout > 0 {
        steps.push(Step::Change { change: Change::Logout, stamped: 0 });
    }
    steps
}
