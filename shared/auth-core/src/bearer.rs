//! Access tokens in a header field (RFC 6750 §2.1).

/// The token in a field `Authorization`: behind the scheme `Bearer` in any case and one space, one token; `None` for other schemes,
/// lists and what is no token.
pub fn token(field: &str) -> Option<&str> {
    let (scheme, token) = field.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("Bearer") && is_token(token)).then_some(token)
}

/// Whether a text is of the characters of a token, `b64token`.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_scheme_and_one_token() {
        for (field, expected) in [("Bearer a.b-c", "a.b-c"), ("bEARER a", "a"), ("Bearer ~+/=_", "~+/=_")] {
            assert_eq!(token(field), Some(expected), "{field}");
        }
        for field in
            ["", "Bearer", "Bearer ", "Bearer  a", "Bearer a,b", "Bearer a, Bearer a", "Bearer é", "Basic YTpi"]
        {
            assert_eq!(token(field), None, "{field}");
        }
    }
}
