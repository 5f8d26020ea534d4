# SPDX-License-Identifier: Apache-2.0
"""The way of one visitor, as a first look at whether anything works at all. Part of `make check`."""

import pytest


@pytest.mark.quick
def test_join_wait_be_let_in(stack):
    stack.event("gala", pace="0")
    first, second = stack.join("gala"), stack.join("gala")
    assert (first.place, second.place) == (1, 2)
    stream = stack.pool().event_stream("gala", second)
    assert stream.wait("line").data["line"] == "waiting"
    answer = stack.onsale_json("rate", "gala", "20/s")
    assert (answer["new"], answer["admission"]) == ("20/s", "acted")
    assert stream.wait("line", lambda line: line["line"] == "turn", seconds=20).data["place"] == 2
    assert stack.onsale_json("audit", "gala")["ok"]
