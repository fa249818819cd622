//! The network that a session was begun from: as much of it as its owner needs to tell two apart.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::id::UserId;
use crate::refresh_token::RefreshKeys;

/// Sets a digest apart from the MAC of a refresh token, which is over 54 bytes; this one is over 39.
const PURPOSE: &[u8; 7] = b"network";

/// A digest of a source network, 8 characters of base64url: the same for one user and one network (an IPv4 /24, an IPv6
/// /48) under one server key. Without the key it says nothing of the address, and nothing of other users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network([u8; 6]);

impl Network {
    /// The network that `address` is in.
    pub fn of(keys: &RefreshKeys, user_id: UserId, address: IpAddr) -> Self {
        let prefix = match address.to_canonical() {
            IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8)).to_ipv6_mapped(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80)),
        };
        let message = [PURPOSE, user_id.as_bytes().as_slice(), &prefix.octets()].concat();
        let mut digest = [0; 6];
        digest.iter_mut().zip(keys.mac(&message).as_ref()).for_each(|(byte, mac)| *byte = *mac);
        Self(digest)
    }

    /// Reads what [`fmt::Display`] writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: UserId = UserId::from_bytes([1; 16]);
    const BOB: UserId = UserId::from_bytes([2; 16]);

    fn keys(character: &str) -> RefreshKeys {
        RefreshKeys::parse(&format!("1:{}A", character.repeat(42))).unwrap()
    }

    fn network(keys: &RefreshKeys, user: UserId, address: &str) -> Network {
        Network::of(keys, user, address.parse().unwrap())
    }

    #[test]
    fn one_network_has_one_digest() {
        let (keys, other_keys) = (keys("A"), keys("E"));
        let digest = network(&keys, ALICE, "192.0.2.1");
        let cases = [
            ("the same /24", network(&keys, ALICE, "192.0.2.254"), true),
            ("the same, mapped into IPv6", network(&keys, ALICE, "::ffff:192.0.2.7"), true),
            ("the next /24", network(&keys, ALICE, "192.0.3.1"), false),
            ("another user", network(&keys, BOB, "192.0.2.1"), false),
            ("another key", network(&other_keys, ALICE, "192.0.2.1"), false),
        ];
        for (name, other, same) in cases {
            assert_eq!(digest == other, same, "{name}");
        }
        let six = network(&keys, ALICE, "2001:db8:1::1");
        assert_eq!(six, network(&keys, ALICE, "2001:db8:1:ffff::2"), "the same /48");
        assert_ne!(six, network(&keys, ALICE, "2001:db8:2::1"), "the next /48");
    }

    #[test]
    fn its_text_is_read_again() {
        let digest = network(&keys("A"), ALICE, "192.0.2.1");
        assert_eq!(digest.to_string().len(), 8);
        assert_eq!(Network::parse(&digest.to_string()), Some(digest));
        for bad in ["", "AAAA", "AAAAAAAAAAAA", "????????"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
