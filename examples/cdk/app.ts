// The authorizer, of type TOKEN, before a REST API, in the same account and region.
//
//   npx cdk deploy --context authorizerArn=arn:aws:lambda:…      the output AuthorizerArn of the stack countersign
import { App, Duration, Stack } from "aws-cdk-lib";
import * as apigateway from "aws-cdk-lib/aws-apigateway";
import * as lambda from "aws-cdk-lib/aws-lambda";

const app = new App();
const stack = new Stack(app, "Hello");

const authorizer = new apigateway.TokenAuthorizer(stack, "Countersign", {
  // `sameEnvironment` lets CDK add the permission, without which every request is a 500.
  handler: lambda.Function.fromFunctionAttributes(stack, "Authorizer", {
    functionArn: app.node.getContext("authorizerArn"),
    sameEnvironment: true,
  }),
  // Or 300 s come on top of a token's life, and of the delay of a revocation.
  resultsCacheTtl: Duration.seconds(0),
});

// Yours stands here already. This one answers GET /hello with what the authorizer hands on.
const api = new apigateway.RestApi(stack, "Api", { cloudWatchRole: false, defaultMethodOptions: { authorizer } });
api.root.addResource("hello").addMethod(
  "GET",
  new apigateway.MockIntegration({
    requestTemplates: { "application/json": '{"statusCode": 200}' },
    integrationResponses: [
      { statusCode: "200", responseTemplates: { "application/json": '{"hello": "$context.authorizer.sub"}' } },
    ],
  }),
  { methodResponses: [{ statusCode: "200" }] },
);

// Clients refresh on a 401, and come again on a 503; without these, a 401 has no challenge and a fault is a 500.
api.addGatewayResponse("Unauthorized", {
  type: apigateway.ResponseType.UNAUTHORIZED,
  responseHeaders: { "WWW-Authenticate": "'Bearer error=\"invalid_token\"'" },
});
api.addGatewayResponse("Fault", {
  type: apigateway.ResponseType.DEFAULT_5XX,
  statusCode: "503",
  responseHeaders: { "Retry-After": "'2'" },
});

app.synth();
