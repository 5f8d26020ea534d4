#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares stripe_contract.json with Stripe's own description of its API, an OpenAPI document (openapi/spec3.json or .yaml of
https://github.com/stripe/openapi, MIT licence; nothing of it is in this repository).

    /usr/bin/python3 tests/provider/compare_contract.py spec3.json

Prints the description's version and each difference, one a line; ends with 1 if there is one. Where our contract is narrower on purpose,
nothing is said: parameters that we do not send, members that we do not read.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.contract import CALLS, CONTRACT, OBJECTS  # noqa: E402

# Our names of Stripe's schemas, where they are others. A list's is inside the call that answers one.
SCHEMAS = {"error": "api_errors", "next_action": "payment_intent_next_action", "card": "payment_method_card",
           "redirect_to_url": "payment_intent_next_action_redirect_to_url", "event_data": "notification_event_data"}


def read(path):
    text = Path(path).read_text()
    if text.lstrip().startswith("{"):
        return json.loads(text)
    import yaml
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class Comparison:
    def __init__(self, document):
        self.document = document
        self.schemas = document["components"]["schemas"]
        self.differences = []

    def differ(self, text):
        self.differences.append(text)

    def variants(self, schema):
        """The schemas that a value may be of, references followed."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return [{"name": name} | self.schemas[name]]
        if "anyOf" in schema:
            return [each for inner in schema["anyOf"] for each in self.variants(inner)]
        return [schema]

    def parameters(self, operation):
        found, required = {}, set()
        for each in operation.get("parameters", []):
            if each["in"] == "query":
                found[each["name"]] = each["schema"]
                if each.get("required"):
                    required.add(each["name"])
        for content in operation.get("requestBody", {}).get("content", {}).values():
            found |= content["schema"].get("properties", {})
            required |= set(content["schema"].get("required", []))
        return found, required

    def compare_parameter(self, where, ours, theirs):
        variants = self.variants(theirs)
        kinds = {each.get("type") for each in variants}
        if ours["type"] not in kinds:
            self.differ(f"{where}: we send a {ours['type']}, theirs is {sorted(map(str, kinds))}")
            return
        theirs = next(each for each in variants if each.get("type") == ours["type"])
        allowed = theirs.get("enum") or [value for each in self.variants(theirs.get("items", {})) for value in each.get("enum", [])]
        if allowed and "sent" in ours and ours["sent"] not in allowed:
            self.differ(f"{where}: we send {ours['sent']}, they know {allowed}")
        if allowed and "sent" not in ours:
            self.differ(f"{where}: they know {allowed}, and we do not say which of them is sent")
        if "maxLength" in theirs and ours.get("bytes_max", theirs["maxLength"]) > theirs["maxLength"]:
            self.differ(f"{where}: {theirs['maxLength']} characters at most")
        for key in ours.get("keys", []):
            inner = theirs.get("properties", {}).get(key)
            if inner is None or inner.get("type") != ours["values_are"]:
                self.differ(f"{where}[{key}]: theirs is {inner}")

    def compare_call(self, call, ours):
        operation = self.document["paths"].get(ours["path"], {}).get(ours["method"].lower())
        if operation is None:
            self.differ(f"{call}: they have no {ours['method']} {ours['path']}")
            return
        found, required = self.parameters(operation)
        for name, field in ours["parameters"].items():
            if name in found:
                self.compare_parameter(f"{call}.{name}", field, found[name])
            else:
                self.differ(f"{call}.{name}: no parameter of theirs")
        for name in sorted(required - {name for name, field in ours["parameters"].items() if not field.get("optional")}):
            self.differ(f"{call}.{name}: they want it, and we do not always send it")
        answer = next(iter(operation["responses"]["200"]["content"].values()))["schema"]
        if ours["answer"] == "list":
            self.compare_object("list", answer)
        elif SCHEMAS.get(ours["answer"], ours["answer"]) not in [each.get("name") for each in self.variants(answer)]:
            self.differ(f"{call}: they answer {answer}")

    def compare_field(self, where, ours, theirs):
        variants = self.variants(theirs)
        kinds = {each.get("name") or each.get("type") for each in variants}
        wanted = SCHEMAS.get(ours["type"], ours["type"])
        if wanted not in kinds:
            self.differ(f"{where}: we read a {wanted}, theirs is {sorted(map(str, kinds))}")
        if bool(ours.get("expands")) != ("string" in kinds and wanted != "string"):
            self.differ(f"{where}: it is {'not ' if ours.get('expands') else ''}expanded on request")
        if bool(theirs.get("nullable")) != ("null" in ours):
            self.differ(f"{where}: it may {'' if theirs.get('nullable') else 'not '}be null")
        values = [value for each in variants for value in each.get("enum", [])]
        if sorted(values) != sorted(ours.get("values", [])) and (values or "values" in ours):
            self.differ(f"{where}: they know {sorted(values)}, we {sorted(ours.get('values', []))}")

    def compare_object(self, kind, schema):
        for name, field in OBJECTS[kind].items():
            theirs = schema.get("properties", {}).get(name)
            if theirs is None:
                self.differ(f"{kind}.{name}: no member of theirs")
            else:
                self.compare_field(f"{kind}.{name}", field, theirs)

    def compare(self):
        for call, ours in CALLS.items():
            self.compare_call(call, ours)
        for kind in OBJECTS:
            schema = self.schemas.get(SCHEMAS.get(kind, kind))
            if kind != "list" and schema is None:
                self.differ(f"{kind}: they have no {SCHEMAS.get(kind, kind)}")
            elif kind != "list":
                self.compare_object(kind, schema)
        return self.differences


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    comparison = Comparison(read(sys.argv[1]))
    differences = comparison.compare()
    print(f"theirs: {comparison.document['info']['version']}, ours: {CONTRACT['version']}")
    for difference in differences:
        print(difference)
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
