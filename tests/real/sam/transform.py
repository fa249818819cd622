"""Prints the CloudFormation template, as JSON, that SAM makes of a template: what AWS does when it is deployed."""

import json
import logging
import os
import sys

from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

logging.disable()
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
with open(sys.argv[1], encoding="utf-8") as file:
    template = yaml_parse(file.read())
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://bucket/key"  # where `sam package` would have put it
parameters = {name: parameter.get("Default", "given") for name, parameter in template["Parameters"].items()}
print(json.dumps(Translator({}, Parser()).translate(template, parameters), indent=1))
