//! Where the table is.

use std::fmt;
use std::num::NonZeroU16;

use auth_core::config::{ConfigError, Variables};
use auth_dynamodb::endpoint::Endpoint;
use auth_dynamodb::store::{NoAccount, Store};
use auth_dynamodb::table::LOCAL_NAME;

use crate::command::Arguments;

/// A table of a `DynamoDB`.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) table: String,
    /// The region's own without one.
    pub(crate) endpoint: Option<Endpoint>,
}

impl Place {
    /// What was said on the command line, else what the variables say.
    pub(crate) fn find(arguments: &Arguments, variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let table = arguments.table.clone().or_else(|| variables.optional("TABLE_NAME"));
        let expected = "a URL such as http://127.0.0.1:8000";
        let endpoint = match &arguments.endpoint {
            Some(endpoint) => Some(endpoint.clone()),
            None => variables.parsed("AWS_ENDPOINT_URL_DYNAMODB", expected, |url| url.parse().ok())?,
        };
        Ok(Self { table: table.unwrap_or_else(|| LOCAL_NAME.to_owned()), endpoint })
    }

    pub(crate) async fn store(&self, page_size: Option<NonZeroU16>) -> Result<Store, NoAccount> {
        let store = Store::for_operator(self.endpoint.as_ref(), self.table.clone()).await?;
        Ok(match page_size {
            Some(items) => store.with_page_size(items),
            None => store,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Some(endpoint) => endpoint.fmt(formatter),
            None => formatter.write_str("DynamoDB"),
        }
    }
}
