//! A search for histories that break the rotation.
//!
//! The code of the Lambda function `refresh` runs as it is, over a table in memory, under a scheduler that chooses every
//! step: who sends, what is lost, delayed, repeated, which instance dies when. A reference, written from what is promised
//! and not from the code, says after each step whether it still holds.

pub mod compare;
pub mod event;
pub mod exhaust;
pub mod parallel;
pub mod plan;
pub mod reference;
pub mod rig;
pub mod rng;
pub mod search;
pub mod step;
pub mod table;
pub mod wire;
pub mod world;

mod access;
mod answer;
mod digest;
mod door;
mod gate;
mod story;
