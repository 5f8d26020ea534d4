# SPDX-License-Identifier: Apache-2.0
"""What was asked of the bank: how often each call, how many at once, and the last of them one by one. For tests and measurements."""

import collections
import time

KEPT_MAX = 100_000


class Calls:
    def __init__(self):
        self.counts = collections.Counter()
        self.replayed = collections.Counter()
        self.in_flight = self.in_flight_max = 0
        self.redirected = 0  # who followed a redirect of ours
        self.log = collections.deque(maxlen=KEPT_MAX)

    def begin(self, call, about, key):
        self.counts[call] += 1
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        entry = {"call": call, "about": about, "key": key, "at": round(time.time(), 6), "seconds": None, "status": None,
                 "replayed": False, "rule": None}
        self.log.append(entry)
        return entry

    def end(self, entry):
        self.in_flight -= 1
        entry["seconds"] = round(time.time() - entry["at"], 6)
        if entry["replayed"]:
            self.replayed[entry["call"]] += 1

    def summary(self, last):
        """`last`: how many single calls, newest last."""
        log = list(self.log)
        return {"counts": dict(self.counts), "replayed": dict(self.replayed), "in_flight": self.in_flight,
                "in_flight_max": self.in_flight_max, "redirects_followed": self.redirected,
                "calls": log[len(log) - min(last, len(log)):]}

    def reset(self):
        in_flight = self.in_flight
        self.__init__()
        self.in_flight = self.in_flight_max = in_flight
