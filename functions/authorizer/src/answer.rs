//! What API Gateway is told: an IAM policy or one word, and the caller's context.

use auth_core::claims::AccessClaims;
use auth_core::foreign::ForeignClaims;
use serde::Serialize;

use crate::arn::MethodArn;
use crate::caller::Caller;
use crate::policy::Extent;

/// The longest answer that API Gateway takes, in bytes (its quotas name 8 KB for HTTP APIs; others are no wider).
const MAX_LENGTH: usize = 8 * 1024;

/// The longest resource of a policy that API Gateway takes, in characters.
const MAX_RESOURCE_LENGTH: usize = 512;

/// The answer of a Lambda authorizer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// For every kind of gateway.
    Policy(PolicyAnswer),
    /// For HTTP APIs with payload format 2.0 that are set to simple responses.
    Simple(SimpleAnswer),
}

/// An IAM policy. The gateway may keep it for every route of the stage, so it is right for all of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAnswer {
    principal_id: String,
    policy_document: PolicyDocument,
    context: Context,
}

/// A yes or no to one request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SimpleAnswer {
    is_authorized: bool,
    context: Context,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyDocument {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: Effect,
    resource: Vec<String>,
}

#[derive(Debug, Serialize)]
enum Effect {
    Allow,
    Deny,
}

/// What backends learn of the caller. Strings only: a REST API would make them strings. What a token does not have is not there: a
/// client's own has no `sid`, `roles` and `ver`; `act` is the client that acts for the user, who then has no `roles`. With `iss`,
/// another issuer's word is handed on, and `sub` is no user of ours.
#[derive(Debug, Serialize)]
struct Context {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ver: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    exp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_sid: Option<String>,
}

impl Answer {
    /// A yes or no.
    pub(crate) fn simple(caller: &Caller, is_authorized: bool) -> Self {
        Self::Simple(SimpleAnswer { is_authorized, context: Context::new(caller) })
    }

    /// A policy for all that the caller may do, as far as API Gateway takes one of that length; else for this request.
    pub(crate) fn policy(caller: &Caller, arn: &MethodArn<'_>, extent: &Extent, is_authorized: bool) -> Self {
        let whole = PolicyAnswer::new(caller, everything(arn.stage, extent));
        let length = serde_json::to_vec(&whole).map_or(usize::MAX, |json| json.len());
        if length <= MAX_LENGTH {
            return Self::Policy(whole);
        }
        // A gateway that keeps it would refuse this caller's other routes until it is old.
        tracing::warn!(event = "policy_too_long", length, "the policy is for this request alone: turn the cache off");
        Self::Policy(PolicyAnswer::new(caller, vec![this_alone(arn, is_authorized)]))
    }
}

/// A Deny wins over every Allow, so the order does not matter.
fn everything(stage: &str, extent: &Extent) -> Vec<Statement> {
    let resources = |targets: &[String]| targets.iter().map(|target| format!("{stage}/{target}")).collect();
    let allow = Statement::new(Effect::Allow, resources(&extent.allowed));
    let deny = Statement::new(Effect::Deny, resources(&extent.denied));
    [allow, deny].into_iter().filter(|statement| !statement.resource.is_empty()).collect()
}

/// The caller wrote the path: what would mean more than itself in a policy opens nothing.
fn this_alone(arn: &MethodArn<'_>, is_authorized: bool) -> Statement {
    let is_literal = arn.text.len() <= MAX_RESOURCE_LENGTH && !arn.text.contains(['*', '?', '{']);
    match (is_authorized, is_literal) {
        (true, true) => Statement::new(Effect::Allow, vec![arn.text.to_owned()]),
        (false, true) => Statement::new(Effect::Deny, vec![arn.text.to_owned()]),
        (_, false) => Statement::new(Effect::Deny, vec![format!("{}/*", arn.stage)]),
    }
}

impl PolicyAnswer {
    fn new(caller: &Caller, statement: Vec<Statement>) -> Self {
        Self {
            principal_id: caller.principal(),
            policy_document: PolicyDocument { version: "2012-10-17", statement },
            context: Context::new(caller),
        }
    }
}

impl Statement {
    fn new(effect: Effect, resource: Vec<String>) -> Self {
        Self { action: "execute-api:Invoke", effect, resource }
    }
}

impl Context {
    fn new(caller: &Caller) -> Self {
        match caller {
            Caller::Own(claims) => Self::own(claims),
            Caller::Other(claims) => Self::other(claims),
        }
    }

    fn own(claims: &AccessClaims) -> Self {
        let (session, delegation) = (claims.session.as_ref(), claims.delegation());
        Self {
            iss: None,
            sub: claims.sub.clone(),
            sid: session.map(|session| session.sid.clone()),
            client_id: Some(claims.client_id.clone()),
            scope: claims.scope.to_string(),
            roles: session.filter(|_| delegation.is_none()).map(|_| claims.roles.to_string()),
            ver: session.map(|session| session.ver.to_string()),
            jti: Some(claims.jti.clone()),
            exp: claims.exp.seconds().to_string(),
            act: delegation.map(|delegation| delegation.actor.clone()),
            parent_sid: delegation.map(|delegation| delegation.parent_sid.clone()),
        }
    }

    fn other(claims: &ForeignClaims) -> Self {
        Self {
            iss: Some(claims.iss.clone()),
            sub: claims.sub.clone(),
            sid: None,
            client_id: claims.client_id.clone(),
            scope: claims.scope.to_string(),
            roles: Some(claims.roles.to_string()),
            ver: None,
            jti: claims.jti.clone(),
            exp: claims.exp.seconds().to_string(),
            act: None,
            parent_sid: None,
        }
    }
}
