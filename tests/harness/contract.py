# SPDX-License-Identifier: Apache-2.0
"""What Onsale needs of Stripe's API (tests/provider/stripe_contract.json), and whether a request or an object keeps to it. Pure.

A request is held against it as strictly as Stripe would: a parameter that is not named there, a value that cannot be one, a nesting that is
another, is a Breach. An object is held against it only for what Onsale reads.
"""

import json
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

PATH = Path(__file__).resolve().parents[1] / "provider" / "stripe_contract.json"
CONTRACT = json.loads(PATH.read_text())
CALLS, OBJECTS, VERSION = CONTRACT["calls"], CONTRACT["objects"], CONTRACT["version"]
NAME = re.compile(r"([a-z_]+)((?:\[[^\[\]]*\])*)\Z")
PLAIN = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}


class Breach(Exception):
    pass


def need(holds, text):
    if not holds:
        raise Breach(text)


def check_value(name, field, value):
    kind = field.get("type") if field.get("values_are") is None else field["values_are"]
    if kind == "integer":
        need(re.fullmatch("[0-9]{1,18}", value), f"{name}: {value!r} is no integer")
        need(int(value) <= field.get("max", 1 << 62), f"{name}: {value} is too much")
    elif kind == "boolean":
        need(value in ("true", "false"), f"{name}: {value!r} is no boolean")
    need(value != "", f"{name}: empty, which unsets")
    need("sent" not in field or value == field["sent"], f"{name}: {value!r}, not {field.get('sent')!r}")
    need(len(value.encode()) <= field.get("bytes_max", 5000), f"{name}: {len(value)} characters")


def check_parameter(parameters, name, value, seen):
    match = NAME.match(name)
    need(match, f"{name} is no name")
    base, keys = match[1], re.findall(r"\[([^\[\]]*)\]", match[2])
    need(base in parameters, f"{base} is no parameter of this call")
    field = parameters[base]
    if field["type"] == "object":
        need(len(keys) == 1 and keys[0], f"{name}: a map has one key")
        need(len(keys[0]) <= field.get("key_bytes_max", 100), f"{name}: a long key")
        need("keys" not in field or keys[0] in field["keys"], f"{name}: {keys[0]} is no key of it")
    elif field["type"] == "array":
        need(keys == [""], f"{name}: a list is written NAME[]")
    else:
        need(not keys, f"{name}: it is nested, and no map")
    need(name not in seen or field["type"] == "array", f"{name}: twice")
    check_value(name, field, value)
    seen.append(name)
    count = sum(each.startswith(base + "[") for each in seen)
    need(count <= field.get("keys_max", 1000), f"{base}: {count} keys")


def check_request(call, method, target, headers, body):
    """`headers` with names in small letters. Breach: Stripe would not take it, or not as it was meant."""
    wanted = CALLS[call]
    parts = urlsplit(target)
    path = re.escape(wanted["path"]).replace(r"\{intent\}", "[A-Za-z0-9_-]+").replace(r"\{session\}", "[A-Za-z0-9_-]+")
    need(method == wanted["method"], f"{method}, not {wanted['method']}")
    need(re.fullmatch(path, parts.path), f"{parts.path} is not {wanted['path']}")
    need(not (method == "POST" and parts.query) and not (method == "GET" and body), "parameters in the wrong place")
    text = body if method == "POST" else parts.query
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    seen = []
    for name, value in pairs:
        check_parameter(wanted["parameters"], name, value, seen)
    bases = {name.partition("[")[0] for name in seen}
    missing = [name for name, field in wanted["parameters"].items() if not field.get("optional") and name not in bases]
    need(not missing, f"{missing} missing")
    need(headers.get("authorization", "").startswith("Bearer sk_"), "no key")
    need(headers.get("stripe-version") == VERSION, f"Stripe-Version {headers.get('stripe-version')}, not {VERSION}")
    if method == "POST":
        need(headers.get("content-type") == "application/x-www-form-urlencoded", "it is no form")
        need(0 < len(headers.get("idempotency-key", "")) <= 255, "no idempotency key")
    return bases


def check_field(kind, name, field, value, depth):
    where = f"{kind}.{name}"
    if value is None:
        need("null" in field, f"{where} is null")
        return
    wanted = field["type"]
    if field.get("expands") and isinstance(value, str):
        return
    if wanted in PLAIN:
        need(isinstance(value, PLAIN[wanted]) and not (wanted == "integer" and isinstance(value, bool)), f"{where} is no {wanted}")
        values = field.get("values", field.get("values_in_text"))
        need(values is None or value in values, f"{where} is {value!r}")
    else:
        check_object(wanted, value, depth + 1)


def check_object(kind, document, depth=0):
    """Breach: something that Onsale reads is not as Stripe has it."""
    need(isinstance(document, dict) and depth < 10, f"{kind} is none")
    for name, field in OBJECTS[kind].items():
        if name in document:
            check_field(kind, name, field, document[name], depth)
        else:
            need(field["missing"] == "borne", f"{kind}.{name} is missing")
