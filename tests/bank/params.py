# SPDX-License-Identifier: Apache-2.0
"""The form bodies and query strings of the API, checked as strictly as Stripe does: what is not known is refused. Pure."""

import re
from urllib.parse import parse_qsl

from shapes import not_valid

METADATA_KEYS_MAX, METADATA_KEY_MAX, METADATA_VALUE_MAX = 50, 40, 500
PARAMETERS_MAX = 200
NAME = re.compile(r"([a-z_]+)(?:\[([^\[\]]*)\])?(?:\[([^\[\]]*)\])?\Z")


class Params:
    """`pairs` as sent; what else is asked of them is by name."""

    def __init__(self, text):
        try:
            self.pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=PARAMETERS_MAX,
                                   errors="strict")
        except ValueError as error:
            raise not_valid("Invalid request body: it is no form (application/x-www-form-urlencoded).") from error
        self.values = {}
        for name, value in self.pairs:
            match = NAME.match(name)
            if match is None:
                raise not_valid(f"Received unknown parameter: {name}", "parameter_unknown", name)
            self.values.setdefault(match[1], []).append((match[2], match[3], value))

    def fingerprint(self):
        """What another call with the same idempotency key must agree in."""
        return sorted([name, value] for name, value in self.pairs)

    def allow(self, *names):
        for name in self.values:
            if name not in names and name != "expand":
                raise not_valid(f"Received unknown parameter: {name}", "parameter_unknown", name)

    def text(self, name, bytes_max=5000, choices=None):
        """None: it was not given. An empty value is one that is not given, too, as with Stripe's optional parameters."""
        given = self.values.get(name)
        if given is None:
            return None
        if len(given) != 1 or given[0][0] is not None:
            raise not_valid(f"Invalid string: {name}", "parameter_invalid_string", name)
        value = given[0][2]
        if len(value) > bytes_max:
            raise not_valid(f"Invalid string: {value[:20]}…; must be at most {bytes_max} characters", "parameter_invalid_string", name)
        if choices is not None and value not in choices:
            raise not_valid(f"Invalid {name}: must be one of {', '.join(choices)}", "parameter_invalid_enum", name)
        return value or None

    def required(self, name, **options):
        value = self.text(name, **options)
        if value is None:
            raise not_valid(f"Missing required param: {name}.", "parameter_missing", name)
        return value

    def integer(self, name, low, high):
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise not_valid(f"Invalid integer: {value[:40]}", "parameter_invalid_integer", name)
        if not low <= int(value) <= high:
            raise not_valid(f"Invalid value for {name}: {low} to {high} are allowed", "parameter_invalid_integer", name)
        return int(value)

    def boolean(self, name):
        return self.text(name, choices=("true", "false")) == "true"

    def map(self, name):
        """name[KEY]=value, one level."""
        found = {}
        for key, inner, value in self.values.get(name, ()):
            if not key or inner is not None:
                raise not_valid(f"Invalid object: {name}", "parameter_invalid_empty", name)
            found[key] = value
        return found

    def metadata(self, name="metadata"):
        found = self.map(name)
        if len(found) > METADATA_KEYS_MAX:
            raise not_valid(f"You can specify at most {METADATA_KEYS_MAX} keys of metadata", param=name)
        for key, value in found.items():
            if len(key) > METADATA_KEY_MAX or len(value) > METADATA_VALUE_MAX:
                raise not_valid(f"Metadata keys have at most {METADATA_KEY_MAX} characters, values at most {METADATA_VALUE_MAX}",
                                param=name)
        return found

    def items(self, name):
        """name[]=value or name[0]=value."""
        return [value for _, _, value in self.values.get(name, ())]
