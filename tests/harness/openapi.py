# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.yaml: what a waiting room may answer to which request."""

import re

import jsonschema
import yaml

from harness.stack import ROOT

DOCUMENT = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())
# The document says in words that any address may answer these; 503 only until the events are read.
ANYWHERE = {405, 408, 413, 414, 431}


def _resolve(node):
    while "$ref" in node:
        target = DOCUMENT
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        node = target
    return node


def _validate(document, schema):
    whole = schema | {"components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(document)


def path_of(path):
    """The path of the document that an address belongs to; None: none does."""
    for pattern in DOCUMENT["paths"]:
        if re.fullmatch(re.escape(pattern).replace(r"\{slug\}", "[a-z0-9-]{1,64}").replace(r"\{file\}", "[a-z.]+"), path):
            return pattern
    return None


def check(answer):
    """Fails unless the document allows this answer (an httpx.Response) to its request. Returns the answer."""
    method, path = answer.request.method, answer.request.url.path
    what = f"{method} {path}: {answer.status_code} {answer.headers.get('content-type')} {answer.text[:300]}"
    kind = answer.headers.get("content-type", "").split(";")[0]
    if kind == "application/problem+json" and method != "HEAD":
        document = answer.json()
        _validate(document, {"$ref": "#/components/schemas/problem"})
        assert document["status"] == answer.status_code and document["type"].startswith("/problems/"), what
    pattern = path_of(path)
    if pattern is None:
        assert answer.status_code == 404, what
        return answer
    if answer.status_code in ANYWHERE:
        assert answer.status_code != 405 or answer.headers["allow"], what
        return answer
    operations = DOCUMENT["paths"][pattern]
    operation = operations["get" if method == "HEAD" else method.lower()]
    assert str(answer.status_code) in operation["responses"], what
    response = _resolve(operation["responses"][str(answer.status_code)])
    for name, header in response.get("headers", {}).items():
        if name != "Age":  # only of what was kept
            assert name.lower() in answer.headers, f"{what} without {name}"
            _validate(answer.headers[name], header["schema"])
    if method != "HEAD" and "content" in response:
        assert kind in response["content"], what
        if "json" in kind:
            _validate(answer.json(), response["content"][kind]["schema"])
    elif method != "HEAD":
        assert not answer.content, what
    return answer
