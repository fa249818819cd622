//! What API Gateway is told: an IAM policy and the caller's context.

use auth_core::claims::AccessClaims;
use serde::Serialize;

use crate::policy::Route;

/// The answer of a Lambda authorizer. The gateway caches it for every route of the stage, so it is right for all.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    principal_id: String,
    policy_document: PolicyDocument,
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

/// What backends learn of the caller. Strings only: a REST API would make them strings.
#[derive(Debug, Serialize)]
struct Context {
    sub: String,
    sid: String,
    client_id: String,
    scope: String,
    roles: String,
    ver: String,
    jti: String,
    exp: String,
}

impl Answer {
    /// Opens a stage, but for some routes. A Deny wins over every Allow, so the order does not matter.
    pub(crate) fn new(claims: &AccessClaims, stage: &str, closed: &[&Route]) -> Self {
        let mut statement = vec![Statement::new(Effect::Allow, vec![format!("{stage}/*")])];
        let denied: Vec<String> = closed.iter().map(|route| format!("{stage}/{route}")).collect();
        if !denied.is_empty() {
            statement.push(Statement::new(Effect::Deny, denied));
        }
        Self {
            principal_id: claims.sub.clone(),
            policy_document: PolicyDocument { version: "2012-10-17", statement },
            context: Context::new(claims),
        }
    }
}

impl Statement {
    fn new(effect: Effect, resource: Vec<String>) -> Self {
        Self { action: "execute-api:Invoke", effect, resource }
    }
}

impl Context {
    fn new(claims: &AccessClaims) -> Self {
        Self {
            sub: claims.sub.clone(),
            sid: claims.sid.clone(),
            client_id: claims.client_id.clone(),
            scope: claims.scope.to_string(),
            roles: claims.roles.to_string(),
            ver: claims.ver.to_string(),
            jti: claims.jti.clone(),
            exp: claims.exp.seconds().to_string(),
        }
    }
}
