# SPDX-License-Identifier: Apache-2.0
"""Which metrics, by which labels, the dashboards of compose/ ask for, and which a program offers."""

import json
import re

from harness.stack import ROOT

# What stands in an expression and is no metric.
WORDS = {"sum", "max", "min", "avg", "by", "rate", "increase", "histogram_quantile", "without", "clamp_min", "on", "or", "and", "unless"}
OF_PROMETHEUS = {"instance", "job"}


def expressions():
    for path in sorted((ROOT / "compose" / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel["targets"]:
                yield target["expr"]


def asked():
    """{metric: labels}; a label after `by` counts for each metric of its expression."""
    found = {}
    for expression in expressions():
        grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(",")} - OF_PROMETHEUS
        rest = re.sub(r"\bby \([^)]*\)|\[[^]]*\]", " ", expression)
        for name, selector in re.findall(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})?", re.sub(r"\"[^\"]*\"", '""', rest)):
            if name not in WORDS and "_" in name:
                labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) - OF_PROMETHEUS
                found.setdefault(name, set()).update(labels | grouped)
    return found


def offered(text):
    """{metric: labels} of a /metrics page."""
    found = {}
    for name, labels in re.findall(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? ", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r"(\w+)=\"", labels))
    return found
