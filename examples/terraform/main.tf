# The authorizer, of type TOKEN, before a REST API that is there already, in the same account and region. As a module: methods
# say `authorization = "CUSTOM"` and `authorizer_id = module.countersign.authorizer_id`, and a new deployment makes it so.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "rest_api_id" {
  type = string
}

variable "authorizer_arn" {
  description = "The output AuthorizerArn of the stack countersign."
  type        = string
}

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  region  = data.aws_region.current.id
  account = data.aws_caller_identity.current.account_id
  api     = "arn:${data.aws_partition.current.partition}:execute-api:${local.region}:${local.account}:${var.rest_api_id}"
}

resource "aws_api_gateway_authorizer" "countersign" {
  rest_api_id                      = var.rest_api_id
  name                             = "countersign"
  type                             = "TOKEN"
  identity_source                  = "method.request.header.Authorization"
  authorizer_uri                   = "arn:${data.aws_partition.current.partition}:apigateway:${local.region}:lambda:path/2015-03-31/functions/${var.authorizer_arn}/invocations"
  authorizer_result_ttl_in_seconds = 0 # or 300 s come on top of a token's life, and of the delay of a revocation
}

# Without it every request is a 500.
resource "aws_lambda_permission" "may_invoke" {
  action        = "lambda:InvokeFunction"
  function_name = var.authorizer_arn
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.api}/authorizers/${aws_api_gateway_authorizer.countersign.id}"
}

# Clients refresh on a 401, and come again on a 503; without these, a 401 has no challenge and a fault is a 500.
resource "aws_api_gateway_gateway_response" "unauthorized" {
  rest_api_id         = var.rest_api_id
  response_type       = "UNAUTHORIZED"
  status_code         = "401"
  response_parameters = { "gatewayresponse.header.WWW-Authenticate" = "'Bearer error=\"invalid_token\"'" }
}

resource "aws_api_gateway_gateway_response" "fault" {
  rest_api_id         = var.rest_api_id
  response_type       = "DEFAULT_5XX"
  status_code         = "503"
  response_parameters = { "gatewayresponse.header.Retry-After" = "'2'" }
}

output "authorizer_id" {
  value = aws_api_gateway_authorizer.countersign.id
}
