//! Points of Ed25519 under which one signature fits many messages: they are no keys.
//!
//! A verifier compares R with S·B − h·A, where h is a hash of R, A and the message. Where the order of A is 8 or less, h·A is one of 8
//! points at most, so that whoever tries a few messages with S = 0 has a signature, without any private key.

/// y of each such point, in little-endian bytes: 1 (order 1), −1 (order 2), 0 (order 4), the two roots of d·y⁴ + 2·y² = 1 that are
/// on the curve (order 8; RFC 8032 §5.1 has the curve and d); and p and p + 1, which RFC 8032 §5.1.3 does not read as 0 and 1, but
/// some libraries do.
const SMALL_ORDER: [[u8; 32]; 7] = [
    ends(0x01, 0x00, 0x00),
    ends(0xec, 0xff, 0x7f),
    ends(0x00, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, //
        0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, //
        0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    ends(0xed, 0xff, 0x7f),
    ends(0xee, 0xff, 0x7f),
];

const fn ends(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    let [head, .., tail] = &mut bytes;
    (*head, *tail) = (first, last);
    bytes
}

/// Whether this is an encoding of a point of small order. The highest bit, the sign of x, says nothing: with each y both are refused,
/// also where x is 0 and has no sign.
pub(super) fn is_small_order(point: &[u8; 32]) -> bool {
    let [y @ .., last] = point;
    SMALL_ORDER.iter().any(|[other @ .., end]| other == y && *end == last & 0x7f)
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;
    use crate::key::{KeyError, KeySet};

    /// Every encoding, with both signs.
    pub(crate) fn points() -> impl Iterator<Item = [u8; 32]> {
        let negative = |mut point: [u8; 32]| {
            point[31] |= 0x80;
            point
        };
        SMALL_ORDER.into_iter().flat_map(move |point| [point, negative(point)])
    }

    /// Messages for which a signature that took no key is good.
    fn forged(point: &[u8; 32]) -> usize {
        let Ok(key) = ParsedPublicKey::new(&ED25519, point) else { return 0 };
        let signature: [u8; 64] = std::array::from_fn(|at| u8::from(at == 0)); // R is the point of order 1, S is 0.
        (0..200_u8).filter(|message| key.verify_sig(&[*message], &signature).is_ok()).count()
    }

    #[test]
    fn the_library_alone_would_believe_forged_messages() {
        let forged: Vec<bool> = points().map(|point| forged(&point) > 0).collect();
        // Two signs of each y. Where x is 0 it has none, and the library reads no such spelling, nor p and p + 1.
        let [one, minus_one, zero, eight] = [[true, false], [true, false], [true, true], [true, true]];
        assert_eq!(forged, [one, minus_one, zero, eight, eight, [false; 2], [false; 2]].concat());
    }

    #[test]
    fn no_point_of_small_order_is_a_key() {
        for point in points() {
            let x = BASE64_URL_SAFE_NO_PAD.encode(point);
            let jwk = serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "a", "x": x });
            let set = KeySet::parse(&serde_json::json!({ "keys": [jwk] }).to_string());
            assert_eq!(set.err(), Some(KeyError::Member(0)), "{x}");
        }
    }
}
