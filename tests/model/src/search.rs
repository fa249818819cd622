//! Histories at random, and the shortest that shows the same.

use std::time::Duration;

use auth_core::config::ConfigError;

use crate::event::Violation;
use crate::plan::{Plan, WINDOWS};
use crate::rig::Rig;
use crate::rng::Rng;
use crate::step::Step;
use crate::table::Table;
use crate::world::{Cast, World};

/// The rigs that histories run on, one for each window.
pub struct Rigs(Vec<Rig>);

/// A history that breaks a promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that led to it.
    pub seed: u64,
    /// What it breaks.
    pub violation: Violation,
    /// The shortest history that does, found by leaving out steps.
    pub steps: Vec<Step>,
    /// The same as a dialogue.
    pub story: String,
}

impl Rigs {
    /// Sets them up.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: not with these windows.
    pub fn new() -> Result<Self, ConfigError> {
        let rigs = WINDOWS.iter().map(|seconds| Rig::new(Duration::from_secs(*seconds)));
        rigs.collect::<Result<_, _>>().map(Self)
    }

    /// Runs the history of a seed on a table; `Some` if it breaks a promise.
    pub fn try_seed<T: Table>(&self, seed: u64, table: impl Fn() -> T) -> Option<Failure> {
        let mut rng = Rng::new(seed);
        let plan = Plan::draw(&mut rng);
        let rig = self.0.get(plan.window)?;
        let (steps, violation) = run(rig, &plan, &mut rng, seed, table())?;
        Some(explain(rig, plan.cast, seed, steps, violation, &table))
    }
}

/// Runs a history to its end; its steps, if it breaks a promise.
pub fn run<T: Table>(rig: &Rig, plan: &Plan, rng: &mut Rng, seed: u64, table: T) -> Option<(Vec<Step>, Violation)> {
    let mut world = World::new(rig, plan.cast, table, seed, false);
    let mut steps = Vec::new();
    for _ in 0..plan.length() {
        let step = plan.choose(&world, rng);
        steps.push(step);
        if let Err(violation) = world.step(step) {
            return Some((steps, violation));
        }
    }
    None
}

/// Takes given steps.
fn replay<T: Table>(
    rig: &Rig,
    cast: Cast,
    seed: u64,
    steps: &[Step],
    table: T,
    tell: bool,
) -> (Option<Violation>, String) {
    let mut world = World::new(rig, cast, table, seed, tell);
    let violation = steps.iter().find_map(|step| world.step(*step).err());
    (violation, world.into_story())
}

/// Leaves out whatever can be left out.
fn explain<T: Table>(
    rig: &Rig,
    cast: Cast,
    seed: u64,
    mut steps: Vec<Step>,
    violation: Violation,
    table: &impl Fn() -> T,
) -> Failure {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            if replay(rig, cast, seed, &fewer, table(), false).0 == Some(violation) {
                steps = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    let (_, story) = replay(rig, cast, seed, &steps, table(), true);
    Failure { seed, violation, steps, story }
}
