"""Validates a document of OpenAPI, and values by schemas of it: {"document": .., "values": [[schema, value], ..]} on standard input."""

import json
import sys

from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate

given = json.load(sys.stdin)
document = given["document"]
validate(document)
for schema, value in given["values"]:
    # References of the schema are to the document.
    whole = {**schema, "components": document.get("components", {})}
    OAS31Validator(whole, format_checker=oas31_format_checker).validate(value)
