"""Writes a built template as emulators can run it, which differ from AWS: functions are told where DynamoDB, KMS and the secret are, which MiniStack
does not do; variables that a test may set are there, empty, because SAM local sets only those that the template has; each `ANY` of an API's events is spelt out, because MiniStack does not
know `x-amazon-apigateway-any-method`; preflights are left out, because SAM local gives all methods of a path the authorizer of one
of them. The authorizer's answers are kept for so many seconds."""

import sys

from samcli.yamlhelper import yaml_dump, yaml_parse


def spelt_out(events):
    for name, event in events.items():
        route = event["Properties"]
        if event["Type"] != "Api":
            yield name, event
        elif route["Method"] == "ANY":
            for method in ["GET", "POST", "DELETE"]:
                yield name + method.title(), {**event, "Properties": {**route, "Method": method}}
        elif route["Method"] != "OPTIONS":
            yield name, event


source, target, seconds, endpoint = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    template = yaml_parse(file.read())
for resource in template["Resources"].values():
    properties = resource.get("Properties", {})
    if "Events" in properties:
        properties["Events"] = dict(spelt_out(properties["Events"]))
    for authorizer in properties.get("Auth", {}).get("Authorizers", {}).values():
        authorizer["Identity"] = {"ReauthorizeEvery": int(seconds)}
variables = template["Globals"]["Function"].setdefault("Environment", {}).setdefault("Variables", {})
variables.update({f"AWS_ENDPOINT_URL_{service}": endpoint for service in ["DYNAMODB", "KMS", "SECRETS_MANAGER"]})
# Nothing is as good as not set. What a function has by itself goes before this.
variables.update({"JWKS": "", "REFRESH_KEYS": "", "SIGNING_KEY": ""})
with open(target, "w", encoding="utf-8") as file:
    file.write(yaml_dump(template))
