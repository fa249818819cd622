//! `openapi.yaml`, read once, and every answer held to it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::harness::Answer;
use crate::template::parse;

/// The document.
pub(crate) static OPENAPI: LazyLock<Value> = LazyLock::new(|| parse(include_str!("../../openapi.yaml")));

static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| members(&OPENAPI["paths"]).map(Path::of).collect());

/// The field names of the path items that hold operations (OpenAPI 3.1, Path Item Object).
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Header fields of HTTP itself, which no description has to name.
const UNNAMED: [&str; 4] = ["content-length", "content-type", "date", "vary"];

struct Path {
    template: &'static str,
    /// By method, then by status.
    operations: BTreeMap<String, BTreeMap<u16, Described>>,
}

/// One answer.
struct Described {
    headers: BTreeMap<String, Field>,
    /// By media type.
    bodies: BTreeMap<String, Validator>,
}

struct Field {
    required: bool,
    is_integer: bool,
    validator: Validator,
}

/// Holds an answer to the document, if its path is described.
pub(crate) fn check(method: &Method, path: &str, asked: &[(&str, &str)], answer: &Answer) {
    if let Err(fault) = conforms(method, path, asked, answer) {
        panic!("openapi.yaml does not describe this answer to {method} {path}: {fault}\n{answer:?}");
    }
}

/// Whether an answer is as described, or what is not.
pub(crate) fn conforms(method: &Method, path: &str, asked: &[(&str, &str)], answer: &Answer) -> Result<(), String> {
    let path = path.split('?').next().unwrap_or_default();
    let Some(described) = PATHS.iter().find(|it| it.matches(path)) else { return Ok(()) };
    if is_preflight(method, asked) && answer.status == 204 {
        return Ok(()); // CORS's own, and a matter of `cors.rs`.
    }
    let described = described.answer(method, answer.status.as_u16()).ok_or("the status")?;
    described.headers(&answer.headers)?;
    if *method == Method::HEAD { Ok(()) } else { described.body(answer) }
}

fn is_preflight(method: &Method, asked: &[(&str, &str)]) -> bool {
    let asks = |name: &str| asked.iter().any(|(asked, _)| *asked == name);
    *method == Method::OPTIONS && asks("origin") && asks("access-control-request-method")
}

impl Path {
    fn of((template, item): (&'static str, &'static Value)) -> Self {
        Self { template, operations: operations(item).map(|(method, it)| (method, answers(it))).collect() }
    }

    fn matches(&self, path: &str) -> bool {
        let (expected, actual) = (self.template.split('/'), path.split('/'));
        let fits = |(expected, actual): (&str, &str)| {
            expected == actual || expected.starts_with('{') && !actual.is_empty() // a parameter
        };
        expected.clone().count() == actual.clone().count() && expected.zip(actual).all(fits)
    }

    fn answer(&self, method: &Method, status: u16) -> Option<&Described> {
        if let Some(answers) = self.operations.get(method.as_str()) {
            return answers.get(&status);
        }
        // Another method is not allowed, unless the authorizer has refused before, or something is broken.
        let answers = self.operations.values().find(|answers| answers.contains_key(&405))?;
        let is_authorized = answers.contains_key(&401);
        answers.get(&status).filter(|_| matches!(status, 405 | 503) || is_authorized && matches!(status, 401 | 403))
    }
}

/// The operations of a path, by method.
pub(crate) fn operations(item: &'static Value) -> impl Iterator<Item = (String, &'static Value)> {
    members(item).filter(|(name, _)| METHODS.contains(name)).map(|(name, it)| (name.to_uppercase(), it))
}

fn answers(operation: &'static Value) -> BTreeMap<u16, Described> {
    let of = |(status, answer)| (str::parse(status).unwrap(), Described::of(resolve(answer)));
    members(&operation["responses"]).map(of).collect()
}

impl Described {
    fn of(answer: &'static Value) -> Self {
        let fields = members(&answer["headers"]).map(|(name, it)| (name.to_lowercase(), Field::of(resolve(it))));
        let bodies = members(&answer["content"]).map(|(name, it)| (name.to_owned(), validator(&it["schema"])));
        Self { headers: fields.collect(), bodies: bodies.collect() }
    }

    fn headers(&self, headers: &HeaderMap) -> Result<(), String> {
        for (name, field) in &self.headers {
            let values: Vec<_> = headers.get_all(name).iter().collect();
            if field.required && values.is_empty() {
                return Err(format!("{name} is missing"));
            }
            if let Some(value) = values.into_iter().find(|value| !field.is_valid(value)) {
                return Err(format!("{name}: {value:?}"));
            }
        }
        let unknown =
            headers.keys().find(|it| !self.headers.contains_key(it.as_str()) && !UNNAMED.contains(&it.as_str()));
        unknown.map_or(Ok(()), |name| Err(format!("{name} is there")))
    }

    fn body(&self, answer: &Answer) -> Result<(), String> {
        let content_type = answer.header("content-type");
        if self.bodies.is_empty() {
            return if content_type.is_none() && answer.text.is_empty() {
                Ok(())
            } else {
                Err("there is a body".into())
            };
        }
        let validator = content_type.and_then(|it| self.bodies.get(it)).ok_or("the Content-Type")?;
        validator.validate(&answer.json()).map_err(|error| format!("{}: {error}", error.instance_path()))
    }
}

impl Field {
    fn of(header: &'static Value) -> Self {
        let schema = &header["schema"];
        Self {
            required: header["required"] == true,
            is_integer: schema["type"] == "integer",
            validator: validator(schema),
        }
    }

    fn is_valid(&self, value: &HeaderValue) -> bool {
        let text = value.to_str().unwrap();
        let value = if self.is_integer { text.parse::<u64>().ok().map(Value::from) } else { Some(text.into()) };
        value.is_some_and(|value| self.validator.is_valid(&value))
    }
}

/// What a `$ref` stands for.
pub(crate) fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => OPENAPI.pointer(pointer).unwrap_or_else(|| panic!("openapi.yaml has no {pointer}")),
        None => value,
    }
}

/// A schema of the document, whose references are into its components.
pub(crate) fn validator(schema: &Value) -> Validator {
    let schema = json!({"allOf": [schema], "components": OPENAPI["components"]});
    jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true).build(&schema).unwrap()
}

pub(crate) fn members(value: &'static Value) -> impl Iterator<Item = (&'static str, &'static Value)> {
    value.as_object().into_iter().flatten().map(|(name, it)| (name.as_str(), it))
}
