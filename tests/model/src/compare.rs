//! What a thief gains and an honest client loses, under our rules for refresh tokens and under other people's.
//!
//! One session at a time, one request after the other: what interleaving can do is the search's matter. Here the same
//! phones, networks and thieves meet several rules, and the numbers are printed side by side.

pub mod honest;
pub mod ours;
pub mod phone;
pub mod rivals;
pub mod scheme;
pub mod tables;
pub mod thief;
