"""GET /streams/NAME.txt and NAME.svg, over real TCP."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.stream import Stream
from streamd.http.reading.badges import max_age
from tests.support.fakes import fail_source
from tests.support.net import Answer, wait_until
from tests.support.served import Serve, Served, in_thread

DESCRIBED = """
[access]
publish = "loopback"
[streams.orders]
title = "Orders <b>"
unit = "/min"
expect = "10m"
warn = "< 20"
critical = "< 5"
[streams.silent]
title = "Not a word yet"
[streams.late]
expect = "1s"
"""


@pytest.fixture
def served(serve: Serve) -> Served:
    return serve(DESCRIBED)


def shown(answer: Answer) -> list[str]:
    """The texts of a badge."""
    assert answer.status == 200, answer.text
    return [text for text in ElementTree.fromstring(answer.body).itertext() if text.strip()]


@in_thread
def test_value_as_text(served: Served) -> None:
    served.post("orders", 42)
    answer = served.request("GET", "/streams/orders.txt")
    assert (answer.status, answer.text) == (200, "42 /min\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    for value, line in ((7, "warning: 7 /min"), (2, "critical: 2 /min"), ("a\nb", "a b")):
        served.post("orders", value)
        assert served.request("GET", "/streams/orders.txt").text == f"{line}\n"
    head = served.request("HEAD", "/streams/orders.txt")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "4")


@in_thread
def test_badge(served: Served) -> None:
    served.post("orders", 42)
    answer = served.request("GET", "/streams/orders.svg")
    assert shown(answer) == ["Orders <b>: 42 /min", "Orders <b>", "42 /min"]
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    served.post("orders", 2)
    about = shown(served.request("GET", "/streams/orders.svg"))
    assert about == ["Orders <b>: critical: 2 /min", "Orders <b>", "critical · 2 /min"]


@in_thread
def test_no_value(served: Served) -> None:
    assert served.request("GET", "/streams/silent.txt").text == "no value\n"
    assert shown(served.request("GET", "/streams/silent.svg"))[1:] == ["Not a word yet", "no value"]
    served.post("orders", 1)
    assert served.request("DELETE", "/streams/orders").status == 204
    assert served.request("GET", "/streams/orders.txt").text == "no value\n"
    served.post("adhoc", None)
    assert served.request("GET", "/streams/adhoc.txt").text == "—\n"
    assert served.request("DELETE", "/streams/adhoc").status == 204
    for path in ("adhoc.txt", "adhoc.svg", "nothing.txt", ".txt", ".svg", "orders.txt.txt"):
        answer = served.request("GET", f"/streams/{path}")
        assert (answer.status, answer.json()["error"]["code"]) == (404, "unknown-stream")


@in_thread
def test_late_value_says_so(served: Served) -> None:
    served.post("late", 5)
    wait_until(lambda: served.request("GET", "/streams/late.txt").text == "late: 5\n")
    answer = served.request("GET", "/streams/late.txt")
    assert answer.headers["Cache-Control"] == "public, max-age=5"
    assert shown(served.request("GET", "/streams/late.svg"))[1:] == ["late", "late · 5"]


@in_thread
def test_failed_value_says_so_with_the_reason(served: Served) -> None:
    state, now = served.service.state, served.service.now()
    served.run(fail_source, state, "broken", "no <answer>\x1b[2J\nat all", now)
    answer = served.request("GET", "/streams/broken.txt")
    assert answer.text.startswith("failed: no value (no <answer>")
    assert answer.text.count("\n") == 1
    assert "\x1b" not in answer.text
    assert answer.headers["Cache-Control"] == "public, max-age=5"
    about, *texts = shown(served.request("GET", "/streams/broken.svg"))
    assert about.startswith("broken: failed: no value (no <answer>")
    assert texts == ["broken", "failed · no value"]


@pytest.mark.parametrize("form", ["txt", "svg"])
@in_thread
def test_answer_that_is_known_is_not_sent_again(served: Served, form: str) -> None:
    served.post("orders", 42)
    path = f"/streams/orders.{form}"
    first = served.request("GET", path)
    known = {"If-None-Match": first.headers["ETag"]}
    assert first.headers["Cache-Control"] == "public, max-age=200"  # a third of 10 min
    again = served.request("GET", path, headers=known)
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    served.post("orders", 43)
    assert served.request("GET", path, headers=known).status == 200


@in_thread
def test_stream_with_such_a_name_stays_reachable(served: Served) -> None:
    served.post("notes", "of notes")
    assert served.request("GET", "/streams/notes.txt").text == "of notes\n"
    served.post("notes.txt", "of notes.txt")
    exact = served.request("GET", "/streams/notes.txt").json()
    assert (exact["name"], exact["value"]) == ("notes.txt", "of notes.txt")
    assert served.request("GET", "/streams/notes.txt?history=5").json()["history"]
    assert served.request("GET", "/streams/notes.txt.txt").text == "of notes.txt\n"
    assert served.request("DELETE", "/streams/notes.txt").status == 204
    assert served.request("GET", "/streams/notes.txt").text == "of notes\n"


@in_thread
def test_hidden_stream_with_such_a_name_changes_nothing(serve: Serve) -> None:
    view = '[access]\npublish = ["publish-every-one"]\nview = [{ token = "%s", streams = ["notes"] }]\n'
    served = serve(view % "view-of-the-notes")
    served.post_at_once(("notes", 1))
    token = {"Authorization": "Bearer view-of-the-notes"}
    before = served.request("GET", "/streams/notes.txt", headers=token)
    served.post_at_once(("notes.txt", 2))
    after = served.request("GET", "/streams/notes.txt", headers=token)
    assert (before.text, after.text) == ("1\n", "1\n")
    assert after.headers["Cache-Control"] == "private, max-age=10"
    assert served.request("GET", "/streams/notes.txt.txt", headers=token).status == 403
    assert served.request("GET", "/streams/notes.svg").status == 401


def test_no_cache_keeps_a_value_beyond_the_time_at_which_it_is_late() -> None:
    stream = Stream("a", Description(expect=Duration(60)), configured=True, now=1000.0)
    stream.proof = 1000.0
    for now, wanted in ((1000.0, 20), (1030.0, 20), (1050.0, 10), (1059.5, 1), (990.0, 20)):
        assert max_age(stream, stream.current_health(), now) == wanted, now
    stream.description = Description(expect=Duration(86400.0))
    assert max_age(stream, stream.current_health(), 1000.0) == 300
    stream.description = Description()
    assert max_age(stream, stream.current_health(), 1000.0) == 10
