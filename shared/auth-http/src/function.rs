//! A function behind API Gateway: event in, response out, nothing escapes.

use std::process::ExitCode;
use std::time::Duration;

use auth_core::config::{ConfigError, Variables, environment};
use auth_core::time::{Clock, SystemClock};
use auth_log::{invocation, metric};
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyResponse;
use lambda_http::http::{Method, StatusCode};
use lambda_http::lambda_runtime::{self, service_fn};
use lambda_http::{Body, Error, LambdaEvent};
use serde_json::Value;
use tracing::Instrument as _;

use crate::browser::Browsers;
use crate::cors::Cors;
use crate::request::Request;
use crate::response::Response;

/// Answers requests. Every outcome is a response.
pub trait Function: Send + Sync {
    /// How it treats browsers.
    fn browsers(&self) -> &Browsers;

    /// Answers one request.
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send;
}

/// Runs a Lambda function from its start to its end: `build` makes it of its variables, and what is wrong with them is
/// one line of the log and exit code 1.
pub async fn run<F: Function>(
    service: &'static str,
    build: impl AsyncFnOnce(&Variables<'_>) -> Result<F, ConfigError>,
) -> ExitCode {
    let variables = Variables::new(&environment);
    let built = match auth_log::start(service, &variables, std::io::stdout) {
        Ok(()) => build(&variables).await,
        Err(error) => Err(error),
    };
    match built {
        Ok(function) => {
            serve(service, &function, is_sam_local(&variables)).await.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Err(error) => {
            tracing::error!(event = "not_started", "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether SAM's local gateway sends the events.
fn is_sam_local(variables: &Variables<'_>) -> bool {
    variables.optional("AWS_SAM_LOCAL").as_deref() == Some("true")
}

async fn serve(service: &'static str, function: &impl Function, is_sam_local: bool) -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let LambdaEvent { mut payload, context } = event;
        if is_sam_local {
            forget_instant(&mut payload);
        }
        let span = invocation::span(service, &context.request_id, context.xray_trace_id.as_deref());
        Ok::<_, Error>(invoke(function, &payload, &SystemClock).instrument(span).await)
    }))
    .await
}

/// SAM's local gateway stamps every request with the instant of its own start: soon, all of them would be too old.
fn forget_instant(event: &mut Value) {
    if let Some(Value::Object(context)) = event.get_mut("requestContext") {
        context.remove("requestTimeEpoch");
    }
}

/// Answers one event of a REST API's proxy integration; `clock` says how long it took.
pub async fn invoke(function: &impl Function, event: &Value, clock: &dyn Clock) -> ApiGatewayProxyResponse {
    let began = clock.steady();
    let request = Request::from_event(event);
    let (method, route) = (request.method.clone(), request.route.clone());
    let cors = Cors::of(function.browsers(), &request);
    let mut response = match cors.preflight(&request) {
        Some(response) => response,
        // Boxed: a future of the SDK's depth within one of the runtime's is more than the compiler lays out.
        None => Box::pin(function.answer(request)).await,
    };
    cors.mark(&mut response);
    let latency = clock.steady().saturating_sub(began);
    log(&method, &route, response.status(), latency);
    encode(response)
}

/// Every answer of 503 is a fault of ours, every 429 somebody whom we have told to wait.
fn log(method: &Method, route: &str, status: StatusCode, latency: Duration) {
    let is = |other: StatusCode| (status == other).then_some(1);
    tracing::info!(
        event = "answered",
        method = name(method),
        route,
        status = status.as_u16(),
        Latency = metric::millis(latency),
        Faults = is(StatusCode::SERVICE_UNAVAILABLE),
        Throttled = is(StatusCode::TOO_MANY_REQUESTS)
    );
}

/// A method may be any text: what is none of those that API Gateway has is the caller's, and stays out of the log.
fn name(method: &Method) -> &str {
    let known = [Method::DELETE, Method::GET, Method::HEAD, Method::OPTIONS, Method::PATCH, Method::POST, Method::PUT];
    if known.contains(method) { method.as_str() } else { metric::OTHER }
}

fn encode(response: Response) -> ApiGatewayProxyResponse {
    let (parts, body) = response.into_parts();
    let mut encoded = ApiGatewayProxyResponse::default();
    encoded.status_code = parts.status.as_u16().into();
    encoded.multi_value_headers = parts.headers;
    encoded.is_base64_encoded = matches!(body, Body::Binary(_));
    encoded.body = (body != Body::Empty).then_some(body);
    encoded
}
