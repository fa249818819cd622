//! One invocation of a function, as all its lines tell of it.

use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Span;

/// The span of one invocation: all lines within carry the function's name, the request id, whether it is the first
/// invocation of its process, and its X-Ray trace, if `trace` is a tracing header (`Root=1-…;…`).
pub fn span(service: &'static str, request_id: &str, trace: Option<&str>) -> Span {
    static WARM: AtomicBool = AtomicBool::new(false);
    let cold_start = !WARM.swap(true, Ordering::Relaxed);
    begin(service, request_id, trace, cold_start)
}

pub(crate) fn begin(service: &'static str, request_id: &str, trace: Option<&str>, cold_start: bool) -> Span {
    let xray_trace_id = trace.and_then(trace_id);
    tracing::error_span!(
        target: "auth_core",
        "invocation",
        service,
        function_request_id = request_id,
        cold_start,
        xray_trace_id
    )
}

/// The trace's identifier in a tracing header: `1-`, 8 and 24 hexadecimal digits. A caller may have sent the header, so
/// nothing else of it is written.
fn trace_id(header: &str) -> Option<&str> {
    let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
    let (time, unique) = root.strip_prefix("1-")?.split_once('-')?;
    let is_hex = |digits: &str, length| digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex(time, 8) && is_hex(unique, 24)).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_tracing_header_the_identifier_is_kept_and_nothing_else() {
        let id = "1-5759e988-bd862e3fe1be46a994272793";
        let cases = [
            (format!("Root={id};Parent=53995c3f42cd8ad8;Sampled=1"), Some(id)),
            (format!("Self=1-67891234-12456789abcdef012345678;Root={id}"), Some(id)),
            (format!("Root={id}x"), None),
            ("Root=sekret;Sampled=1".to_owned(), None),
            ("sekret".to_owned(), None),
            (String::new(), None),
        ];
        for (header, expected) in cases {
            assert_eq!(trace_id(&header), expected, "{header}");
        }
    }
}
