//! What it costs. What is measured is in `benches`; what is only reckoned, here.

pub mod scale;
