//! No code of its own: see `it/`.
