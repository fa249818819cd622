//! No code of its own: see `benches`.
