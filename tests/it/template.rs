//! `template.yaml` against the code: what AWS would refuse, or what would only show at the first request.

#![expect(clippy::indexing_slicing, reason = "a test")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use auth_core::config::{ConfigError, Variables, environment};
use auth_core::policy::REQUEST_LIFE;
use auth_dynamodb::store::Store;
use auth_http::browser::Browsers;
use auth_keys::place::{KeyKind, Place};
use auth_log::settings::Settings;
use authorizer::policy::RoutePolicy;
use dynoxide::Database;
use dynoxide::actions::describe_table::DescribeTableRequest;
use dynoxide::actions::describe_time_to_live::DescribeTimeToLiveRequest;
use local::gateway::ROUTES;
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

pub(crate) const TEMPLATE: &str = include_str!("../../template.yaml");

/// A function: its resource, its manifest, and how it reads its variables at start.
pub(crate) struct Function {
    resource: &'static str,
    manifest: &'static str,
    pub(crate) start: fn(&Variables<'_>) -> Result<(), ConfigError>,
}

pub(crate) const FUNCTIONS: [Function; 8] = [
    Function {
        resource: "Login",
        manifest: include_str!("../../functions/login/Cargo.toml"),
        start: |variables| {
            login::config::Config::from_variables(variables)?;
            variables.table_name()?;
            variables.journal_policy().map(drop)
        },
    },
    Function {
        resource: "Refresh",
        manifest: include_str!("../../functions/refresh/Cargo.toml"),
        start: |variables| {
            refresh::config::Config::from_variables(variables)?;
            variables.table_name()?;
            variables.journal_policy().map(drop)
        },
    },
    Function {
        resource: "Revoke",
        manifest: include_str!("../../functions/revoke/Cargo.toml"),
        start: |variables| {
            revoke::config::Config::from_variables(variables)?;
            variables.table_name()?;
            variables.journal_policy().map(drop)
        },
    },
    Function {
        resource: "Introspect",
        manifest: include_str!("../../functions/introspect/Cargo.toml"),
        start: |variables| {
            introspect::config::Config::from_variables(variables)?;
            variables.table_name().map(drop)
        },
    },
    Function {
        resource: "Sessions",
        manifest: include_str!("../../functions/sessions/Cargo.toml"),
        start: |variables| {
            Browsers::without_cookies(variables)?;
            variables.table_name()?;
            variables.journal_policy().map(drop)
        },
    },
    Function {
        resource: "Discovery",
        manifest: include_str!("../../functions/discovery/Cargo.toml"),
        start: |variables| {
            discovery::App::from_variables(variables)?;
            variables.table_name().map(drop)
        },
    },
    Function {
        resource: "RotateKeys",
        manifest: include_str!("../../functions/rotate-keys/Cargo.toml"),
        start: |variables| {
            Place::from_variables(KeyKind::Signing, variables)?;
            Place::from_variables(KeyKind::Refresh, variables)?;
            variables.rotation_policy()?;
            variables.table_name().map(drop)
        },
    },
    Function {
        resource: "Authorizer",
        manifest: include_str!("../../functions/authorizer/Cargo.toml"),
        start: |variables| authorizer::config::Config::from_variables(variables).map(drop),
    },
];

#[test]
fn each_folder_of_functions_is_a_resource() {
    let template = parse(TEMPLATE);
    let built: BTreeMap<&str, &str> = functions(&template)
        .map(|(name, function)| (name, function["Properties"]["CodeUri"].as_str().unwrap()))
        .collect();
    let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../functions")).unwrap();
    let folders: BTreeSet<String> =
        folders.map(|entry| format!("functions/{}", entry.unwrap().file_name().to_str().unwrap())).collect();
    assert_eq!(built.values().map(|&folder| folder.to_owned()).collect::<BTreeSet<_>>(), folders);
    assert_eq!(built.into_keys().collect::<BTreeSet<_>>(), FUNCTIONS.map(|function| function.resource).into());
    for function in FUNCTIONS {
        let folder = &template["Resources"][function.resource]["Properties"]["CodeUri"];
        let folder = folder.as_str().unwrap_or_default().replace('-', "");
        assert_eq!(folder, format!("functions/{}", function.resource.to_lowercase()));
    }
}

#[test]
fn functions_get_the_variables_that_they_read() {
    let template = parse(TEMPLATE);
    let everywhere = names(&template["Globals"]["Function"]["Environment"]["Variables"]);
    assert_eq!(everywhere, ["DEPLOYMENT", "LOG_LEVEL"].map(str::to_owned).into(), "what the log reads");
    for function in FUNCTIONS {
        let name = function.resource;
        let set = names(&template["Resources"][name]["Properties"]["Environment"]["Variables"]);
        let (read, required) = read_by(function.start);
        let mut wanted = &read - &everywhere;
        wanted.retain(|variable| !is_elsewhere(name, variable));
        assert_eq!(set, wanted, "{name}");
        assert!(required.is_subset(&set), "{name}");
    }
}

/// Keys that here are in the secret and in the table. The authorizer gets them for a stack without revocation.
fn is_elsewhere(function: &str, variable: &str) -> bool {
    ["KEY_FILE", "REFRESH_KEYS", "SIGNING_KEY"].contains(&variable) || (variable == "JWKS" && function != "Authorizer")
}

/// Lambda drops lines below its own level, those with metrics among them (its guide, log-level filtering).
#[test]
fn every_function_gets_the_variables_of_its_log_and_lambda_keeps_all_lines() {
    let globals = &parse(TEMPLATE)["Globals"]["Function"];
    let (read, required) = read_by(|variables| Settings::from_variables("login", variables).map(drop));
    let ours = read.into_iter().filter(|name| !name.starts_with("AWS_")).collect();
    let variables = &globals["Environment"]["Variables"];
    assert_eq!((names(variables), required), (ours, BTreeSet::new()));
    assert_eq!(variables["DEPLOYMENT"], json!({"Ref": "AWS::StackName"}));
    assert_eq!(globals["LoggingConfig"]["ApplicationLogLevel"], "TRACE");
}

#[test]
fn defaults_are_those_of_the_code() {
    let template = parse(TEMPLATE);
    let variables = &template["Resources"]["Login"]["Properties"]["Environment"]["Variables"];
    let default = |name: &str| {
        let parameter = variables[name]["Ref"].as_str()?;
        let value = &template["Parameters"][parameter]["Default"];
        value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
    };
    let (given, none) = (Variables::new(&default), Variables::new(&|_| None));
    assert_eq!(given.session_policy().unwrap(), none.session_policy().unwrap());
    assert_eq!(given.access_ttl().unwrap(), none.access_ttl().unwrap());
    assert_eq!(given.default_client_id().unwrap(), none.default_client_id().unwrap());
    assert_eq!(given.journal_policy().unwrap(), none.journal_policy().unwrap());
    let rotation = &template["Resources"]["RotateKeys"]["Properties"]["Environment"]["Variables"];
    let default_rotation = |name: &str| {
        let value = &template["Parameters"][rotation[name]["Ref"].as_str()?]["Default"];
        value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
    };
    let rotation = Variables::new(&default_rotation).rotation_policy().unwrap();
    assert_eq!(rotation, none.rotation_policy().unwrap());
    let variables = &template["Resources"]["Authorizer"]["Properties"]["Environment"]["Variables"];
    for (name, expected) in [("MAX_STALENESS_SECONDS", "15"), ("SOFT_STALENESS_SECONDS", "2")] {
        let parameter = &template["Parameters"][variables[name]["Ref"].as_str().unwrap()];
        assert_eq!(parameter["Default"].to_string(), expected, "{name}");
    }
    assert_eq!((default("ALLOWED_ORIGINS").as_deref(), default("COOKIE_MODE").as_deref()), (Some(""), Some("off")));
    RoutePolicy::parse(template["Parameters"]["RoutePolicy"]["Default"].as_str().unwrap()).unwrap();
}

/// What each function does at the table, as `calls.rs` sees it, and to which items.
#[test]
fn each_function_may_do_what_it_does_and_no_more() {
    let template = parse(TEMPLATE);
    // A transaction is granted by the writes that it is made of.
    let journal = (&["PutItem"][..], &["JOURNAL#*"][..]);
    let keys = (&["Query"][..], &["KEYS"][..]);
    let granted = [
        (
            "Login",
            vec![(&["GetItem", "PutItem", "Query", "UpdateItem"][..], &["LOGIN#*", "USER#*"][..]), journal, keys],
        ),
        (
            "Refresh",
            vec![(&["GetItem", "UpdateItem"], &["USER#*"]), (&["GetItem"], &["CLIENT#*", "TOKEN#*"]), journal, keys],
        ),
        (
            "Revoke",
            vec![
                (&["GetItem", "UpdateItem"], &["USER#*"]),
                (&["UpdateItem"], &["LOGIN#*"]),
                (&["GetItem", "PutItem"], &["TOKEN#*"]),
                journal,
                keys,
            ],
        ),
        ("Introspect", vec![(&["GetItem"], &["CLIENT#*", "TOKEN#*", "USER#*"]), keys]),
        ("Sessions", vec![(&["GetItem", "Query", "UpdateItem"], &["USER#*"]), journal]),
        ("Discovery", vec![keys]),
        (
            "RotateKeys",
            vec![
                (&["DeleteItem", "PutItem", "Query"], &["KEYS"]),
                (&["DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive"], &[]), // these name no items
            ],
        ),
        ("Authorizer", vec![(&["Query"], &["JOURNAL#*", "KEYS"])]),
    ];
    assert_eq!(granted.len(), FUNCTIONS.len());
    for (name, statements) in granted {
        let policies = &template["Resources"][name]["Properties"]["Policies"];
        let statement = |(operations, keys): (&[&str], &[&str])| {
            let actions: Vec<String> = operations.iter().map(|operation| format!("dynamodb:{operation}")).collect();
            let mut granted = json!({"Effect": "Allow", "Action": actions, "Resource": {"Fn::GetAtt": "Table.Arn"}});
            if !keys.is_empty() {
                granted["Condition"] = json!({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}});
            }
            granted
        };
        let secret = secret_actions(name).map(|(operations, secrets)| {
            let actions: Vec<String> = operations.iter().map(|it| format!("secretsmanager:{it}")).collect();
            json!({"Effect": "Allow", "Action": actions, "Resource": secrets})
        });
        let statements: Vec<Value> = statements.into_iter().map(statement).chain(secret).chain(kms(name)).collect();
        let expected = json!([{"Version": "2012-10-17", "Statement": statements}]);
        assert_eq!(policies, &expected, "{name}");
    }
}

/// What a function does with private keys, and with which: those who only recognise refresh tokens cannot sign.
fn secret_actions(function: &str) -> Option<(&'static [&'static str], Value)> {
    let both = json!([{"Ref": "KeySecret"}, {"Ref": "RefreshKeySecret"}]);
    match function {
        "Login" | "Refresh" => Some((&["GetSecretValue"], both)),
        "Revoke" | "Introspect" => Some((&["GetSecretValue"], json!({"Ref": "RefreshKeySecret"}))),
        "RotateKeys" => Some((&["DescribeSecret", "GetSecretValue", "PutSecretValue"], both)),
        _ => None,
    }
}

/// What a function does with keys of KMS: only with those that were made for this table.
fn kms(function: &str) -> Vec<Value> {
    let at = |resource: &str| json!({"Fn::Sub": format!("arn:${{AWS::Partition}}:kms:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")});
    let of = |kind: &str| json!({"StringEquals": {format!("aws:{kind}Tag/countersign:table"): {"Ref": "Table"}}});
    let allow = |actions: &[&str], resource: Value| json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    let with = |mut statement: Value, condition: Value| {
        statement["Condition"] = condition;
        statement
    };
    let none = json!({"Ref": "AWS::NoValue"});
    match function {
        "Login" | "Refresh" => vec![with(allow(&["kms:Sign"], at("key/*")), of("Resource"))],
        "RotateKeys" => {
            let mut new = of("Request");
            new["Null"] = json!({"kms:ResourceAliases": "true"});
            let makes = with(allow(&["kms:CreateKey", "kms:TagResource"], json!("*")), new);
            let ours = json!([at("key/*"), at("alias/countersign/${Table}/*")]);
            let names = allow(&["kms:CreateAlias", "kms:DeleteAlias"], ours);
            vec![
                allow(&["kms:GetPublicKey"], at("key/*")),
                with(allow(&["kms:ScheduleKeyDeletion"], at("key/*")), of("Resource")),
                json!({"Fn::If": ["MakesKmsKeys", makes, none]}),
                json!({"Fn::If": ["MakesKmsKeys", names, none]}),
            ]
        }
        _ => vec![],
    }
}

#[test]
fn private_keys_are_granted_to_those_who_link_the_vault_and_outlive_the_stack() {
    let template = parse(TEMPLATE);
    for function in FUNCTIONS {
        let name = function.resource;
        let referred = references(&template["Resources"][name]["Properties"]);
        assert_eq!(referred.contains("RefreshKeySecret"), function.manifest.contains("auth-keys"), "{name}");
        let signs = ["Login", "Refresh", "RotateKeys"].contains(&name);
        assert_eq!(referred.contains("KeySecret"), signs, "{name}: nobody else may sign");
    }
    for name in ["KeySecret", "RefreshKeySecret", "Table"] {
        let resource = &template["Resources"][name];
        assert_eq!(
            (&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]),
            (&json!("Retain"), &json!("Retain"))
        );
    }
    for name in ["KeySecret", "RefreshKeySecret"] {
        let secret = &template["Resources"][name]["Properties"];
        let default = ["SecretString", "GenerateSecretString"].map(|name| secret.get(name));
        assert_eq!(default, [None, None], "no default secret");
    }
}

#[test]
fn the_table_is_granted_to_those_who_link_the_store() {
    let template = parse(TEMPLATE);
    for function in FUNCTIONS {
        let name = function.resource;
        let granted = references(&template["Resources"][name]["Properties"]["Policies"]).contains("Table");
        assert_eq!(granted, function.manifest.contains("auth-dynamodb"), "{name}");
    }
}

/// Whoever takes it over can let himself in, and no more: make no token, and change nothing that others read.
#[test]
fn the_authorizer_and_discovery_read_and_hold_no_secret() {
    let template = parse(TEMPLATE);
    for name in ["Authorizer", "Discovery"] {
        let function = &template["Resources"][name]["Properties"];
        let statements = function["Policies"].as_array().into_iter().flatten();
        let statements = statements.flat_map(|policy| policy["Statement"].as_array().unwrap());
        for action in statements.flat_map(|statement| statement["Action"].as_array().unwrap()) {
            assert!(["dynamodb:GetItem", "dynamodb:Query"].contains(&action.as_str().unwrap()), "{name}: {action}");
        }
        let secrets = ["SIGNING_KEY", "REFRESH_KEYS", "SECRET"];
        let held: Vec<_> = names(&function["Environment"]["Variables"])
            .into_iter()
            .filter(|variable| secrets.iter().any(|secret| variable.contains(secret)))
            .collect();
        assert!(held.is_empty(), "{name}: {held:?}");
    }
}

#[tokio::test]
async fn the_table_is_the_one_that_the_code_makes() {
    let engine = Database::memory().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(dynoxide::server::serve_on(listener, engine.clone()));
    Store::on_loopback(&endpoint, "table".to_owned()).create_table().await.unwrap();

    let table_name = "table".to_owned();
    let made = json!(engine.describe_table(DescribeTableRequest { table_name: table_name.clone() }).unwrap().table);
    let ttl = engine.describe_time_to_live(DescribeTimeToLiveRequest { table_name }).unwrap();
    let template = parse(TEMPLATE);
    let table = &template["Resources"]["Table"]["Properties"];
    assert_eq!(table["KeySchema"], made["KeySchema"]);
    assert_eq!(table["AttributeDefinitions"], made["AttributeDefinitions"]);
    assert_eq!(table["BillingMode"], made["BillingModeSummary"]["BillingMode"]);
    let expected = json!({"AttributeName": ttl.time_to_live_description.attribute_name, "Enabled": true});
    assert_eq!(table["TimeToLiveSpecification"], expected);
}

#[test]
fn a_function_lives_as_long_as_a_request_and_the_gateway_waits_a_second_longer() {
    let template = parse(TEMPLATE);
    assert_eq!(template["Globals"]["Function"]["Timeout"], REQUEST_LIFE.as_secs());
    for (name, function) in functions(&template) {
        assert_eq!(function["Properties"]["Timeout"], Value::Null, "{name}");
        for event in events(function) {
            let patience = event["TimeoutInMillis"].as_u64().map(Duration::from_millis);
            assert_eq!(patience, Some(REQUEST_LIFE + Duration::from_secs(1)), "{name}");
        }
    }
}

#[test]
fn no_resource_depends_on_itself() {
    assert_eq!(cyclic(&parse(TEMPLATE)), BTreeSet::new());
}

#[test]
fn planted_cycles_are_found() {
    let issuer = "ISSUER: !Ref Issuer";
    let cases = [
        ("Ref", issuer, "ISSUER: !Ref Api", ["Api", "Login"]),
        ("Sub", issuer, "ISSUER: !Sub \"https://${Api}.example\"", ["Api", "Login"]),
        ("GetAtt", "ROUTE_POLICY: !Ref RoutePolicy", "ROUTE_POLICY: !GetAtt Api.RootResourceId", ["Api", "Authorizer"]),
        ("globals", "RetentionInDays: !Ref LogRetentionDays", "LogGroupName: !Ref Discovery", ["Discovery", "Log"]),
        ("DependsOn", "Type: AWS::Logs::LogGroup", "Type: AWS::Logs::LogGroup\n    DependsOn: [Api]", ["Api", "Log"]),
        ("the stage", issuer, "ISSUER: !Ref Api.Stage", ["Api.Stage", "Login"]),
    ];
    for (name, sound, planted, expected) in cases {
        let text = TEMPLATE.replacen(sound, planted, 1);
        assert_ne!(text, TEMPLATE, "{name}");
        let cyclic = cyclic(&parse(&text));
        assert!(expected.iter().all(|&resource| cyclic.contains(resource)), "{name}: {cyclic:?}");
    }
}

/// The same of the template that AWS gets.
#[test]
#[ignore = "needs what tests/real/sam/run sets up"]
fn transformed_by_sam_no_resource_depends_on_itself() {
    let file = environment("TRANSFORMED").expect("TRANSFORMED: see tests/real/sam/run");
    let mut transformed: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(cyclic(&transformed), BTreeSet::new());
    transformed["Resources"]["Login"]["Properties"]["Environment"]["Variables"]["ISSUER"] = json!({"Ref": "Api"});
    let planted = cyclic(&transformed);
    assert!(["Api", "ApiStage", "Login"].iter().all(|&resource| planted.contains(resource)), "{planted:?}");
}

/// Past the authorizer goes the method of preflights and no other.
#[test]
#[ignore = "needs what tests/real/sam/run sets up"]
fn transformed_by_sam_preflights_pass_the_authorizer() {
    let file = environment("TRANSFORMED").expect("TRANSFORMED: see tests/real/sam/run");
    let transformed: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let paths = transformed["Resources"]["Api"]["Properties"]["Body"]["paths"].as_object().unwrap();
    let authorized = json!([{"Countersign": []}]);
    let mut seen = 0;
    for (path, methods) in paths {
        let any = &methods["x-amazon-apigateway-any-method"];
        if any["security"] != authorized {
            continue;
        }
        seen += 1;
        let names: Vec<&String> = methods.as_object().unwrap().keys().collect();
        assert_eq!(names, ["options", "x-amazon-apigateway-any-method"], "{path}");
        assert_eq!(methods["options"]["security"], Value::Null, "{path}");
    }
    assert_eq!(seen, ROUTES.iter().filter(|route| route.authorized).count());
}

/// What a function reads of its environment, and what of that it cannot do without.
fn read_by(start: fn(&Variables<'_>) -> Result<(), ConfigError>) -> (BTreeSet<String>, BTreeSet<String>) {
    let read = RefCell::new(BTreeSet::new());
    let started = start(&Variables::new(&|name| {
        read.borrow_mut().insert(name.to_owned());
        sample(name)
    }));
    assert_eq!(started, Ok(()));
    let read = read.into_inner();
    let lacks = |absent: &str| start(&Variables::new(&|name| sample(name).filter(|_| name != absent)));
    let is_required =
        |name: &&String| matches!(lacks(name), Err(ConfigError::Missing { name: lacked, .. }) if lacked == *name);
    let required = read.iter().filter(is_required).cloned().collect();
    (read, required)
}

/// A value that is right, for variables without a default.
pub(crate) fn sample(name: &str) -> Option<String> {
    match name {
        "ISSUER" => Some("https://issuer.example".to_owned()),
        "AUDIENCE" | "TABLE_NAME" => Some("name".to_owned()),
        "KEY_SECRET" | "REFRESH_KEY_SECRET" => Some("keys".to_owned()),
        _ => None,
    }
}

pub(crate) fn functions(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources.filter(|(_, it)| it["Type"] == "AWS::Serverless::Function").map(|(name, it)| (name.as_str(), it))
}

pub(crate) fn events(function: &Value) -> impl Iterator<Item = &Value> {
    let events = function["Properties"]["Events"].as_object().into_iter().flatten();
    events.filter(|(_, event)| event["Type"] == "Api").map(|(_, event)| &event["Properties"])
}

fn names(members: &Value) -> BTreeSet<String> {
    members.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// The resources on cycles, and those that depend on them.
fn cyclic(template: &Value) -> BTreeSet<String> {
    let mut waiting = dependencies(template);
    loop {
        let ready: Vec<String> = waiting
            .iter()
            .filter(|(_, needs)| needs.iter().all(|need| !waiting.contains_key(need)))
            .map(|(name, _)| name.clone())
            .collect();
        if ready.is_empty() {
            return waiting.into_keys().collect();
        }
        waiting.retain(|name, _| !ready.contains(name));
    }
}

/// What each resource needs, with what SAM makes of the short forms. (`tests/real/sam` asks SAM itself.)
fn dependencies(template: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |name: &str, more: BTreeSet<String>| needs.entry(name.to_owned()).or_default().extend(more);
    for (name, resource) in template["Resources"].as_object().into_iter().flatten() {
        let mut resource = resource.clone();
        let section = resource["Type"].as_str().and_then(|kind| kind.strip_prefix("AWS::Serverless::"));
        add(name, references(&template["Globals"][section.unwrap_or("None")]));
        if section == Some("Api") {
            add(&format!("{name}.Deployment"), [name.clone()].into());
            add(&format!("{name}.Stage"), [format!("{name}.Deployment")].into());
        }
        // An event is no need of the function: the API calls it, and a permission names both.
        for (at, event) in events(&resource).enumerate() {
            for api in references(&event["RestApiId"]) {
                add(&api, [name.clone()].into());
                add(&format!("{name}.Permission{at}"), [name.clone(), api].into());
            }
        }
        if let Some(events) = resource.pointer_mut("/Properties/Events") {
            events.take();
        }
        add(name, references(&resource));
    }
    needs
}

/// The names after `Ref`, `GetAtt`, `Sub` and `DependsOn`.
fn references(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, inner) in value.as_object().into_iter().flatten() {
        let texts = inner.as_str().into_iter().chain(inner.as_array().into_iter().flatten().filter_map(Value::as_str));
        match name.as_str() {
            "Ref" | "DependsOn" => found.extend(texts.map(str::to_owned)),
            "Fn::GetAtt" => found.extend(texts.take(1).map(resource_of)),
            "Fn::Sub" => {
                let holes = texts.take(1).flat_map(|text| text.split("${").skip(1));
                found.extend(holes.filter_map(|hole| Some(resource_of(hole.split_once('}')?.0))));
            }
            _ => {}
        }
    }
    let children = value.as_object().into_iter().flatten().map(|(_, inner)| inner);
    let children = children.chain(value.as_array().into_iter().flatten());
    children.fold(found, |found, inner| &found | &references(inner))
}

/// `Login` of `Login.Arn`; but the stage of an API is a resource of its own.
fn resource_of(attribute: &str) -> String {
    let made_by_sam = attribute.ends_with(".Stage") || attribute.ends_with(".Deployment");
    let (resource, _) = attribute.split_once('.').filter(|_| !made_by_sam).unwrap_or((attribute, ""));
    resource.to_owned()
}

pub(crate) fn parse(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).unwrap_or_default();
    documents.first().map(plain).unwrap_or_default()
}

/// YAML as JSON, `!Sub x` as `{"Fn::Sub": x}`.
fn plain(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(items) => items.iter().map(plain).collect(),
        Yaml::Mapping(members) => {
            let member = |(name, value): (&Yaml<'_>, &Yaml<'_>)| Some((name.as_str()?.to_owned(), plain(value)));
            Value::Object(members.iter().filter_map(member).collect())
        }
        Yaml::Tagged(tag, inner) => {
            let name = if tag.suffix == "Ref" { "Ref".to_owned() } else { format!("Fn::{}", tag.suffix) };
            Value::Object(Map::from_iter([(name, plain(inner))]))
        }
        _ => Value::Null,
    }
}
