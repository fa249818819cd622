//! Keys for tests, made for them with OpenSSL. Whoever reads this file has the private halves: none of them may sign
//! anything but tests.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, JwkSet};

use crate::key::{KeySet, SigningKey};

/// The key of one algorithm.
pub(crate) fn signing_key(algorithm: Algorithm) -> SigningKey {
    let text = match algorithm {
        Algorithm::RS256 => RSA,
        Algorithm::ES256 => P256,
        Algorithm::EdDSA => ED25519,
        _ => HMAC,
    };
    SigningKey::parse(algorithm, text).unwrap()
}

/// The other half of a key.
pub(crate) fn key_set(jwk: &Jwk) -> KeySet {
    KeySet::from_jwks(&JwkSet { keys: vec![jwk.clone()] }).unwrap()
}

/// The bytes of a PEM block.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with('-'));
    BASE64_STANDARD.decode(lines.collect::<String>()).unwrap()
}

/// The bytes of a part of a token.
pub(crate) fn base64url(part: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// A PKCS#8 PEM of the Ed25519 key with this seed (RFC 8410 §7).
pub(crate) fn ed25519_pem(seed: &str) -> String {
    let seed = base64url(seed);
    let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let text = BASE64_STANDARD.encode([&prefix[..], &seed].concat());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

/// `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`
pub(crate) const RSA: &str = "\
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDoryQyIy+Pii95
od/mKNhlel3upDxYhzkYs2noMUCUw+lXtrpKu0rCKgFUwZj2YWQyT6rYGp3ZpChc
az8RBlNK5Zd57jQMj93MzSgx79YxWlOqiKT1eyRCai01hpNNpt1+ZYp98D0ZZxNs
V1LaqXyHH0eZpSUjhVy4RBQHJ09eYmflBXZt+TXj2ryKXRHYoY09uNLaUALdUDyC
OEqta76+hpXHl4Qp4MHfN+jF+SJT2AizGyBb/zAkXnyG4cjA9b78dGSZ20LI1FY+
KQVZ5xn/PQQtOh6mfLikEjdFhdvpPmQjH/fSonHpKCXJLpbS5PTTh1aIL13b6xtQ
gOg8gI+LAgMBAAECggEAM4qgNO7wWRZd/85onz4K+SeK6RK+P0nsztjnK8TFLm7b
IE/cojMskyfk1ZZwwJrALBjTmj0DHDOtsRMcjDPffWawEBVAuEuh8Py825rp0lLU
16CfEbVuSbvlOccOmBPPWnE5pT3y+s6HUedh9ge3CuNV4+Xd/SlMaZDC8va1MQ2l
GjytE2SCqibSfCf8nrrX2quMjgkOz5dlDSU+aj3SeBvIN1nfdDlbMrVrZngc5Jgw
mlkaAXGMWVzhAU7s+eo5PrZ3sU5lTXM4sPZ+wFPq2agxE0t7ptpmTh8Z8y/2bmZP
rDK2lOiMrVzPJpavfsr1cj/6pspryTgb4knIgt7+OQKBgQD472BOOXFG9/4+8TpN
7ZofH5bnNLddF1x1ig21eMRxuz/OshnyTvxTbNivQHJ/f4qYN37/4MP9R7d/z6xN
/WSutAeqlPvA8H1TW4wcENJhtCKn0VD7+iSBvDYGtZeW/Qzkp95n1NLM5hO4nvlq
4xuPRhdKZj6dM2QuSiXdeapVFQKBgQDvSbHvwYauI124/daNjlD5LJ72dtGcFJk2
dnofRnXOT2ZxiWICrclfZ0Tb9HSbchOu1DX2yKeQ+pLyqSNGlhVxZa93T8ztZo2I
3m4mTdAVUqZZH5K+twe6U5CATOLLv+ZotNNwXKEmU81MJWV4ldxC6icBzYXXkmXJ
8VvbVJO6HwKBgQComlj8ImPa0XTeZLw8s8VDdz3Z8xaOcpgo9Aw88UL8VPruoCp6
t4ynZH2OlXP3bwcL+eqGnFGiZsSeSKZHXGyo9z6KBsZM85Wus76985bKnhsq1tan
E9FOHY/qE2xM06+73wcABGGSbfLFhMch4hh0feCgf4fBKWGdCJOE4ja/0QKBgFGO
e6AtBLtbgHkpwzPSGtUimTeFveGFv8apUOxR9psPwunVmlsxYl4q83RIeGn20rCW
0aHAOCSY0vb0IPrQ8pQIxWpT/5O2jWzl6wMRKGfsGJhtw3VPKsod6zVffzlUubJc
V2iHmcFXdLSMVm5oHX+NEShzJTgZRKo0oks6I3OfAoGAOXErBEnSJdXP9l2rEFIM
zWlOv4Bzca8J06HCdXsK/Ut38it060ZYqiYyZQwuZnRltzJcrOcoevJA/La/9IYs
HDyZ8ob3nZC/zQbcFbEl/F8zkujp9brU0a6i1mBdzawf3tnYkeWZ4JZDPFJ029un
MIDOKvy1xDt9PfArFhsfuU4=
-----END PRIVATE KEY-----
";

/// Its public half: `openssl pkey -pubout`
pub(crate) const RSA_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA6K8kMiMvj4oveaHf5ijY
ZXpd7qQ8WIc5GLNp6DFAlMPpV7a6SrtKwioBVMGY9mFkMk+q2Bqd2aQoXGs/EQZT
SuWXee40DI/dzM0oMe/WMVpTqoik9XskQmotNYaTTabdfmWKffA9GWcTbFdS2ql8
hx9HmaUlI4VcuEQUBydPXmJn5QV2bfk149q8il0R2KGNPbjS2lAC3VA8gjhKrWu+
voaVx5eEKeDB3zfoxfkiU9gIsxsgW/8wJF58huHIwPW+/HRkmdtCyNRWPikFWecZ
/z0ELToepny4pBI3RYXb6T5kIx/30qJx6SglyS6W0uT004dWiC9d2+sbUIDoPICP
iwIDAQAB
-----END PUBLIC KEY-----
";

/// The same key in the older form: `openssl rsa -traditional`
pub(crate) const RSA_PKCS1: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEA6K8kMiMvj4oveaHf5ijYZXpd7qQ8WIc5GLNp6DFAlMPpV7a6
SrtKwioBVMGY9mFkMk+q2Bqd2aQoXGs/EQZTSuWXee40DI/dzM0oMe/WMVpTqoik
9XskQmotNYaTTabdfmWKffA9GWcTbFdS2ql8hx9HmaUlI4VcuEQUBydPXmJn5QV2
bfk149q8il0R2KGNPbjS2lAC3VA8gjhKrWu+voaVx5eEKeDB3zfoxfkiU9gIsxsg
W/8wJF58huHIwPW+/HRkmdtCyNRWPikFWecZ/z0ELToepny4pBI3RYXb6T5kIx/3
0qJx6SglyS6W0uT004dWiC9d2+sbUIDoPICPiwIDAQABAoIBADOKoDTu8FkWXf/O
aJ8+CvkniukSvj9J7M7Y5yvExS5u2yBP3KIzLJMn5NWWcMCawCwY05o9AxwzrbET
HIwz331msBAVQLhLofD8vNua6dJS1NegnxG1bkm75TnHDpgTz1pxOaU98vrOh1Hn
YfYHtwrjVePl3f0pTGmQwvL2tTENpRo8rRNkgqom0nwn/J6619qrjI4JDs+XZQ0l
Pmo90ngbyDdZ33Q5WzK1a2Z4HOSYMJpZGgFxjFlc4QFO7PnqOT62d7FOZU1zOLD2
fsBT6tmoMRNLe6baZk4fGfMv9m5mT6wytpTojK1czyaWr37K9XI/+qbKa8k4G+JJ
yILe/jkCgYEA+O9gTjlxRvf+PvE6Te2aHx+W5zS3XRdcdYoNtXjEcbs/zrIZ8k78
U2zYr0Byf3+KmDd+/+DD/Ue3f8+sTf1krrQHqpT7wPB9U1uMHBDSYbQip9FQ+/ok
gbw2BrWXlv0M5KfeZ9TSzOYTuJ75auMbj0YXSmY+nTNkLkol3XmqVRUCgYEA70mx
78GGriNduP3WjY5Q+Sye9nbRnBSZNnZ6H0Z1zk9mcYliAq3JX2dE2/R0m3ITrtQ1
9sinkPqS8qkjRpYVcWWvd0/M7WaNiN5uJk3QFVKmWR+SvrcHulOQgEziy7/maLTT
cFyhJlPNTCVleJXcQuonAc2F15JlyfFb21STuh8CgYEAqJpY/CJj2tF03mS8PLPF
Q3c92fMWjnKYKPQMPPFC/FT67qAqereMp2R9jpVz928HC/nqhpxRombEnkimR1xs
qPc+igbGTPOVrrO+vfOWyp4bKtbWpxPRTh2P6hNsTNOvu98HAARhkm3yxYTHIeIY
dH3goH+HwSlhnQiThOI2v9ECgYBRjnugLQS7W4B5KcMz0hrVIpk3hb3hhb/GqVDs
UfabD8Lp1ZpbMWJeKvN0SHhp9tKwltGhwDgkmNL29CD60PKUCMVqU/+Tto1s5esD
EShn7BiYbcN1TyrKHes1X385VLmyXFdoh5nBV3S0jFZuaB1/jREocyU4GUSqNKJL
OiNznwKBgDlxKwRJ0iXVz/ZdqxBSDM1pTr+Ac3GvCdOhwnV7Cv1Ld/IrdOtGWKom
MmUMLmZ0ZbcyXKznKHryQPy2v/SGLBw8mfKG952Qv80G3BWxJfxfM5Lo6fW61NGu
otZgXc2sH97Z2JHlmeCWQzxSdNvbpzCAzir8tcQ7fT3wKxYbH7lO
-----END RSA PRIVATE KEY-----
";

/// Too short: `-pkeyopt rsa_keygen_bits:1024`
pub(crate) const RSA_1024: &str = "\
-----BEGIN PRIVATE KEY-----
MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAKWSGv+yVKFf+l0L
B6pW2IpqMECCY3oA4IjP7awCkFbakJgqnJi3VlOkxBHxqZCIIDfdusU8XaGWCLn5
FWJARtNZzkMqoi6fhzX4yre6KOECQeO+kJUpZHqGK0HLfECk5P7S5mWYJ255T8va
QHGfj9nuR5+Pq5u/AGSiPTqeDw5hAgMBAAECgYAFNZmf3e6HvUtVThmJpH3frQOj
o/aZShnGdDRYKyR7dxkBkKWosGwI6bA5mE7rezz4RQOxXPrdMKlJoKqpkrgntTnh
xf56Kh8Xvjy6zmcJ+Tl2x0SrQKpgJkGM4QoedDN7QaVVC3iUeeUKdnHVYN/GEFsq
z/OuoCYOy5r/L4HMuQJBANvi5AEwI7I1rg6Hs9stWLQ7X5LXatH7NlRObRolVsT9
AXprWT9BFGFgDi19qvXx7/vfcmWHNsi8hJCNwxv2eC8CQQDAw4TrVrWvVcTVGOwk
RzfScMoZ6gQvewsBuqwla9V5XYEN6rLbzUepAVN3FziLrXDCVOl8w/s0wKd/dgK+
T65vAkEAuPuR0SYMgboDKhojxvnJLCbe6ovrQ6fRNu+bfWl4K9SlT7XLqRk46gqD
IuYb0zisKfr7JEqyXgGqjGmWgInC5QJAb2tUFBedksg3qpjqPZnwuTG6j7oFS1CK
rygwQr0OukUCyIGFeqkwJ479qJOCerH4wEsGXriFJhvJdVJICarS/wJBAMoj+euc
0k/m3/vRSRLxUZ72iUgr0gyePl3Y8EPfTDjTOkCNzEJG1t2VdJ8uOb1fli5UES8A
0wobf9BgsJ/1jc4=
-----END PRIVATE KEY-----
";

/// Unusual exponent: `-pkeyopt rsa_keygen_pubexp:3`
pub(crate) const RSA_E3: &str = "\
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDBu2jVNo5uT9x5
dqRbDZ816PQ/3V7vwIdnN4jU4Vf2nBObLDL4Fsio4vdbExkkp1hQNcLBc3pZHPf3
t8rVMcfm9QsKf2O4d/MAYfhUY09zcBXQmJiNG8Jy3s3yv62dmJaHYlZntNBZTtk3
mO8l825nPhjF8qfNwWCkX8oKqDQHN/YGvU0Gc6HOHu+6pRiHYfaYaGpH7gJrdpfH
xdIuzRd6MjJ0xB1bA3+zKG+Zl6coxrRq1V+DnuDCgg+vyJQz4E8cIeDuKnk97Xp0
6X+6GnxLqLM+RTsaPvz7hlHkSQq1NuLsGOpp4PIQkFKtlYJHJ2ErTM+3p24mbYzu
754g8KDbAgEDAoIBAQCBJ5s4zwme3+hQ+cLnXmoj8KLVPj9KgFpEz7CN64/5vWJn
csylZIXF7KTnYhDDGjrgI9crolGQvfqlJTHjdoVEo1yxqkJ6+qIAQVA4QjT3oA6L
EGWzZ9b3PzP3KnO+ZbmvluRFIzWQ3zt6ZfTD957vfrsuocUz1kBtlTFccCKveXlA
cwdpNVWV3q9weE/Pq5Jv/IfxvEWsgsZyhHY/9l1aSSk3brdYRjwmjPswaQwFCZcH
diDZVH6oLOiwodr4IqlMrUWBzpO5G9lMnkXH3AvTFr3JUeFEHwbYBZpE4BxgX85d
cirvuzP/i0m1Vx6NX45L3HUwvr1vz9U8hTzrHXcbAoGBAPjZ9pL36nNnhHuRSsRF
OfYLhES9YERjD7JTLYhBDf/ZqzEdhOn3fhgEEQ7l1r+attM6xqi5+O/7DjgDQr5b
zvT/TpPmY1DNCwMdSlleOl5shem7Adcy2VguqiNlEPYBGppp1DYLyIwinPkeDAxL
xVc2bApy+8zg6dH9mGxD/wi9AoGBAMdMGi7wuS4FzG0ApdyKpqTk6Vmf81WForvI
0ZiNzYuZGUOEGSBfHA11Q+frI1WGgX6k3YWDpzLLMHqjkw1j3Vwpz2TFEUrbOLFk
sb2wFgwigKzVSJIBNxqI08cX5+ojjJL2GXP2f5fuomr/hsgnUrSDFhV7jYUdy/sW
j1Z8RWV3AoGBAKXmpGH6nEzvrae2MdguJqQHrYMo6thCCnbiHlrWCVU7x3YTrfFP
qWVYC19D5H+8eeInLxsmpfVSCXqs1ymSifiqNGKZl4szXKy+MZDpfD7zA/EnVo93
O5AfHBeYtflWEbxGjXldMF1saKYUCAgyg495nVxMp93rRov+ZZ2CqgXTAoGBAITd
Zsn10MlZMvNVw+hcbxiYm5EVTOOubH0wi7sJM7JmENetZhWUvV5OLUVHbOOvAP8Y
k65XxMyHdacXt15Ck5LGikMuC4c80HZDISkgDrLBqx3jhbarehGwjS9lRUbCXbdO
u6KkVQ/0bEdVBIVvjHhXZA5SXli+h/y5tORS2O5PAoGAFh8Ulzu9Czr0HoYjnYso
aQ6PVdEkr6+7+lU+RYekE8O1zmJdshyHdIncXtPT+QItEQPbWvUGnQkU/aCWgrB2
MkUsOCHF/sgY7+i3Xv0x3CPWXjPFdY5/tcGaqdGySyf5zgt851KnS4EARJsbim/C
aPcXQPCsLCIV/QFCpv75MCc=
-----END PRIVATE KEY-----
";

/// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`
pub(crate) const P256: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLbVh6ZdGMnxS5R8T
SpUjCh9wuNsEe5L46nlJw5hNGnShRANCAAT4ySwJNzrUiNKmmNcP65J8vvhyr4Wy
VFlU5ZH4JCWUEmgw4N1Mad/QzjWmvQMSBvxbdpRnJkBmhPR+H0Zg4QwS
-----END PRIVATE KEY-----
";

/// Its public half: `openssl pkey -pubout`
pub(crate) const P256_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+MksCTc61IjSppjXD+uSfL74cq+F
slRZVOWR+CQllBJoMODdTGnf0M41pr0DEgb8W3aUZyZAZoT0fh9GYOEMEg==
-----END PUBLIC KEY-----
";

/// The same key in another form: `openssl ec`
pub(crate) const P256_SEC1: &str = "\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIC21YemXRjJ8UuUfE0qVIwofcLjbBHuS+Op5ScOYTRp0oAoGCCqGSM49
AwEHoUQDQgAE+MksCTc61IjSppjXD+uSfL74cq+FslRZVOWR+CQllBJoMODdTGnf
0M41pr0DEgb8W3aUZyZAZoT0fh9GYOEMEg==
-----END EC PRIVATE KEY-----
";

/// The same key under a passphrase: `openssl pkcs8 -topk8`
pub(crate) const P256_ENCRYPTED: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjsF2H5vQaKswICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEELc0MhCDy4suTc9xzMvssVEEgZAk
eJ74mgrTpimLBN5JtjU4BVYG0bVqOJnY3nMURoFO76kk7PEJ8OpF6x7s+3Uep6Ww
EogMOKe27w2jObOeeAvJrTNG6lLItvrG5E2bBoDDqrC3oMUl74ccWvpc7kEWivJk
7wHESGJ3N3YoKlahcgLthYi1VGv9AgjYmSRycYIr+D4uQWYKNPJX8BzEuRd62n8=
-----END ENCRYPTED PRIVATE KEY-----
";

/// Wrong curve: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384`
pub(crate) const P384: &str = "\
-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDD2hnx4bP9FmNfrTlCm
qXH25AIXSHhU41A7K7uf0nXwpE9hBnYgKMk4EJoDetdj+PGhZANiAARPtTQpMzxS
cJLLLHMmrwKqetec1gAd7CzNSxf7iJvP+z1b+P3p3C6aSR6et5SEOmCLyMaQzYdF
i+gnAyvuvRmz9VTpcu5toxtoNn5uJQ1yOKFlt+S6qECxyWJSbsdtvP8=
-----END PRIVATE KEY-----
";

/// `openssl genpkey -algorithm ed25519`: PKCS#8 version 1
pub(crate) const ED25519: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEICpT9nB8iBqTU5BZH8SAZ894lbcfeNo5s30r9k/i/Egc
-----END PRIVATE KEY-----
";

/// Its public half: `openssl pkey -pubout`
pub(crate) const ED25519_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA2uNP/dqBeUCPPWZ7HGHL6t75A4lu/EPhLo4MGzFjziA=
-----END PUBLIC KEY-----
";

/// The same key in version 2 of PKCS#8, with the public half (RFC 5958)
pub(crate) const ED25519_V2: &str = "\
-----BEGIN PRIVATE KEY-----
MFECAQEwBQYDK2VwBCIEICpT9nB8iBqTU5BZH8SAZ894lbcfeNo5s30r9k/i/Egc
gSEA2uNP/dqBeUCPPWZ7HGHL6t75A4lu/EPhLo4MGzFjziA=
-----END PRIVATE KEY-----
";

/// Wrong curve: `openssl genpkey -algorithm ed448`
pub(crate) const ED448: &str = "\
-----BEGIN PRIVATE KEY-----
MEcCAQAwBQYDK2VxBDsEOcGSsdqciqY2fLn1/1hGdRKrTWrI9HYjIzep22jfhaIt
sCpFt+4rw0SCe8rJusy3Fezcz+hlvDOb2A==
-----END PRIVATE KEY-----
";

/// 32 bytes, 0 to 31.
pub(crate) const HMAC: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
