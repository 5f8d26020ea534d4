# SPDX-License-Identifier: Apache-2.0
"""docs/schemas/output.json: what every command prints with --json."""

import json

import jsonschema

from harness.stack import ROOT

OUTPUT = json.loads((ROOT / "docs/schemas/output.json").read_text())


def check(name, document):
    """Fails unless the document is what that command's schema says, to the last member."""
    schema = {"$schema": OUTPUT["$schema"], "$ref": f"#/$defs/{name}", "$defs": OUTPUT["$defs"]}
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(document)
