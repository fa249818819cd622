//! The local gateway against `template.yaml`: what one answers, the other is deployed with.

use std::collections::BTreeSet;

use local::gateway::ROUTES;
use local::response::GatewayResponse;
use serde_json::Value;

use crate::template::{TEMPLATE, events, functions, parse};

#[test]
fn its_routes_are_those_of_the_template() {
    let template = parse(TEMPLATE);
    let deployed: BTreeSet<(String, String, bool)> = functions(&template)
        .flat_map(|(name, function)| {
            events(function).map(move |properties| {
                assert_eq!(properties["Method"], "ANY", "so that the function answers 405");
                let authorized = properties["Auth"]["Authorizer"] == "Countersign";
                (properties["Path"].as_str().unwrap().to_owned(), name.to_owned(), authorized)
            })
        })
        .collect();
    let local = ROUTES.map(|route| (route.path.to_owned(), format!("{:?}", route.target), route.authorized));
    assert_eq!(BTreeSet::from(local), deployed);
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
        let headers = deployed["ResponseParameters"]["Headers"].as_object().unwrap();
        let quoted = |text: &str| Value::String(format!("'{text}'"));
        assert_eq!(headers["Cache-Control"], quoted("no-store"), "{name}");
        assert_eq!(headers["Content-Type"], quoted("application/problem+json"), "{name}");
        let others: Vec<_> =
            headers.iter().filter(|(name, _)| *name != "Cache-Control" && *name != "Content-Type").collect();
        match local.header() {
            Some((header, value)) => {
                let [(deployed, text)] = others.as_slice() else { panic!("{name}: {others:?}") };
                assert_eq!((deployed.to_lowercase().as_str(), *text), (header.as_str(), &quoted(value)), "{name}");
            }
            None => assert!(others.is_empty(), "{name}: {others:?}"),
        }
    }
}
