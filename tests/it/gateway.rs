//! The local gateway against `template.yaml`: what one answers, the other is deployed with.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::HeaderName;
use local::gateway::ROUTES;
use local::response::GatewayResponse;
use serde_json::Value;

use crate::template::{TEMPLATE, events, functions, parse};

#[test]
fn its_routes_are_those_of_the_template() {
    let template = parse(TEMPLATE);
    let deployed: BTreeSet<(String, String, String, bool)> = functions(&template)
        .flat_map(|(name, function)| {
            events(function).map(move |properties| {
                let text = |member: &str| properties[member].as_str().unwrap().to_owned();
                let authorized = properties["Auth"]["Authorizer"] == "Countersign";
                (text("Path"), text("Method"), name.to_owned(), authorized)
            })
        })
        .collect();
    // Every method, so that the function answers 405; and preflights past the authorizer, where there is one.
    let local = ROUTES.into_iter().flat_map(|route| {
        let path = route.path.to_owned();
        let any = (path.clone(), "ANY".to_owned(), format!("{:?}", route.target), route.authorized);
        let preflight = (path, "OPTIONS".to_owned(), format!("{:?}", route.target), false);
        [any].into_iter().chain(route.authorized.then_some(preflight))
    });
    assert_eq!(local.collect::<BTreeSet<_>>(), deployed);
}

#[test]
fn its_own_answers_are_those_of_the_template() {
    let template = parse(TEMPLATE);
    let responses = &template["Resources"]["Api"]["Properties"]["GatewayResponses"];
    let cases = [
        ("UNAUTHORIZED", GatewayResponse::Unauthorized),
        ("ACCESS_DENIED", GatewayResponse::AccessDenied),
        ("MISSING_AUTHENTICATION_TOKEN", GatewayResponse::MissingAuthenticationToken),
        ("DEFAULT_5XX", GatewayResponse::Default5xx),
    ];
    for (name, local) in cases {
        let deployed = &responses[name];
        assert_eq!(deployed["StatusCode"], local.status().as_u16(), "{name}");
        let body = deployed["ResponseTemplates"]["application/json"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(body).unwrap(), local.body(), "{name}");
        let expected = GatewayResponse::SHARED.into_iter().chain(local.header());
        assert_eq!(headers(deployed), expected.map(field).collect(), "{name}");
    }
}

/// Those that the local gateway has no use for are like the others.
#[test]
fn all_of_its_answers_share_header_fields() {
    let template = parse(TEMPLATE);
    let responses = &template["Resources"]["Api"]["Properties"]["GatewayResponses"];
    let shared: BTreeMap<_, _> = GatewayResponse::SHARED.map(field).into();
    for (name, deployed) in responses.as_object().unwrap() {
        let mut headers = headers(deployed);
        headers.retain(|header, _| shared.contains_key(header));
        assert_eq!(headers, shared, "{name}");
    }
}

/// The header fields of a gateway response; the template quotes each value, because it is no mapping.
fn headers(response: &Value) -> BTreeMap<String, String> {
    let headers = response["ResponseParameters"]["Headers"].as_object().unwrap();
    headers.iter().map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned())).collect()
}

fn field((name, value): (HeaderName, &'static str)) -> (String, String) {
    (name.to_string(), format!("'{value}'"))
}
