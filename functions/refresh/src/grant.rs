//! Which grant is asked for, and by whom (RFC 6749 §3.2).

use auth_core::client::{self, Client, ClientCredentials};
use auth_http::body::{self, Unreadable};
use auth_http::browser::Browsers;
use auth_http::client::{ClientRefused, credentials, credentials_if_any};
use auth_http::request::Request;
use auth_http::response::Response;

use crate::client_credentials::OwnTokenRequest;
use crate::exchange::ExchangeRequest;
use crate::request::RefreshRequest;
use crate::table::Table;
use crate::{App, Refusal};

pub(crate) const EXPECTED_GRANT_TYPES: &str =
    "expected grant_type refresh_token, client_credentials or urn:ietf:params:oauth:grant-type:token-exchange";

/// What is asked for. Whoever wants more than a refresh is a client that proves it.
enum Grant {
    /// A public client shows no credentials; those that are shown must be right.
    RefreshToken(RefreshRequest, Option<ClientCredentials>),
    ClientCredentials(OwnTokenRequest, ClientCredentials),
    TokenExchange(ExchangeRequest, ClientCredentials),
}

impl Grant {
    fn parse(request: &Request, browsers: &Browsers, audience: &str) -> Result<Self, Refusal> {
        match request.route.as_str() {
            "/refresh" => Ok(Self::RefreshToken(RefreshRequest::parse(request, browsers)?, None)),
            "/oauth/token" => {
                browsers.refuse(request)?;
                Self::from_form(request, audience)
            }
            _ => Err(Refusal::NoSuchRoute),
        }
    }

    fn from_form(request: &Request, audience: &str) -> Result<Self, Refusal> {
        let mut form = body::form(request)?;
        match form.get("grant_type").map(String::as_str) {
            Some("refresh_token") => {
                let credentials = credentials_if_any(request, &mut form)?;
                let mut asked = RefreshRequest::from_form(&mut form)?;
                if let Some(credentials) = &credentials {
                    asked.client_id = Some(credentials.id.to_string());
                }
                Ok(Self::RefreshToken(asked, credentials))
            }
            Some("client_credentials") => {
                let credentials = credentials(request, &mut form)?.ok_or(ClientRefused::Invalid)?;
                Ok(Self::ClientCredentials(OwnTokenRequest::from_form(&form)?, credentials))
            }
            Some("urn:ietf:params:oauth:grant-type:token-exchange") => {
                let credentials = credentials(request, &mut form)?.ok_or(ClientRefused::Invalid)?;
                Ok(Self::TokenExchange(ExchangeRequest::from_form(&mut form, audience)?, credentials))
            }
            Some(_) => Err(Refusal::UnsupportedGrantType),
            None => Err(Unreadable::Malformed("grant_type is missing").into()),
        }
    }
}

impl<T: Table> App<T> {
    /// Answers a request to either route.
    pub(crate) async fn grant(&self, request: &Request) -> Result<Response, Refusal> {
        let now = self.clock.now();
        match Grant::parse(request, &self.config.browsers, &self.config.issuer.aud)? {
            Grant::RefreshToken(asked, credentials) => {
                if let Some(credentials) = &credentials {
                    self.authenticate(credentials).await?;
                }
                self.refresh(request, asked, now).await
            }
            Grant::ClientCredentials(asked, credentials) => {
                let client = self.client(&credentials, client::Grant::ClientCredentials).await?;
                self.own_token(asked, &client, now).await
            }
            Grant::TokenExchange(asked, credentials) => {
                let client = self.client(&credentials, client::Grant::TokenExchange).await?;
                self.exchange(request, asked, &client, now).await
            }
        }
    }

    /// Who asks, if it may have what it asks for. Before anything about a token is known: a stranger learns nothing, and costs
    /// one read.
    async fn client(&self, credentials: &ClientCredentials, grant: client::Grant) -> Result<Client, Refusal> {
        let client = self.authenticate(credentials).await?;
        if client.may(grant) { Ok(client) } else { Err(Refusal::UnauthorizedClient) }
    }

    async fn authenticate(&self, credentials: &ClientCredentials) -> Result<Client, Refusal> {
        let found = self.table.client(&credentials.id).await?;
        Ok(credentials.authenticate(found).ok_or(ClientRefused::Invalid)?)
    }
}
