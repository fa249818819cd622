//! Why a token is refused, as far as a watch over keys has to know.

use auth_core::jwt::Rejection;
use auth_core::refresh_token::NotOurs;

/// Why a token is refused: perhaps because its key is not known, which younger keys may change.
pub trait UnknownKey {
    /// Whether that is why.
    fn is_unknown_key(&self) -> bool;
}

impl UnknownKey for Rejection {
    fn is_unknown_key(&self) -> bool {
        *self == Self::UnknownKey
    }
}

impl UnknownKey for NotOurs {
    fn is_unknown_key(&self) -> bool {
        *self == Self::UnknownKey
    }
}
