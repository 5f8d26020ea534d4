# SPDX-License-Identifier: Apache-2.0
"""Reading the programs' logs (logfmt)."""

import re
from dataclasses import dataclass, field

_PAIR = re.compile(r'([^\s=]+)=("(?:[^"\\]|\\.)*"|\S*)')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}

SANITIZER = re.compile(r"ERROR: (Address|Leak|Memory)Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed"
                       r"|\*\*\* (stack smashing|buffer overflow)|free\(\): |double free|malloc\(\): |corrupted ")


@dataclass
class Line:
    """One line: the four fields that every line begins with, then the event's own."""

    time: str
    level: str
    program: str
    event: str
    fields: dict = field(default_factory=dict)
    text: str = ""


def _value(text):
    if not text.startswith('"'):
        return text
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text[1:-1])


def parse(text):
    """All log lines in a text; what is not one (a library's own word) is passed over."""
    lines = []
    for raw in text.splitlines():
        pairs = [(match[1], _value(match[2])) for match in _PAIR.finditer(raw)]
        if [name for name, _ in pairs[:4]] == ["time", "level", "program", "event"]:
            head = [value for _, value in pairs[:4]]
            lines.append(Line(*head, fields=dict(pairs[4:]), text=raw))
    return lines
