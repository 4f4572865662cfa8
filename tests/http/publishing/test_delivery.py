"""One delivery of a webhook: its body, and the updates that it makes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.config.parse import parse
from streamd.core.errors import Refused
from streamd.http.publishing import delivery
from streamd.http.publishing.delivery import Hook, read_document
from streamd.http.request import Request
from tests.support import deliveries as made


def hook(text: str, name: str = "x") -> Hook:
    table = parse(f'[hooks.{name}]\nsecret = "0123456789abcdef"\n{text}', ()).hooks[name]
    return Hook(name, table, "0123456789abcdef")


def read(body: bytes, kind: str | None, **headers: str) -> Any:
    told = headers if kind is None else {"content-type": kind, **headers}
    return read_document(Request("POST", "/hooks/x", headers=told), body)


class ReadDocumentTests(SynchronousTestCase):
    def test_json_under_the_types_that_senders_use(self) -> None:
        for kind in (
            None,
            "",
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/vnd.api+json",
            "text/plain",
            "application/x-www-form-urlencoded",  # curl's
        ):
            self.assertEqual({"a": 1}, read(b' {"a": 1}', kind), kind)

    def test_forms_of_github_and_uptime_kuma(self) -> None:
        body = urlencode({"payload": json.dumps(made.GITHUB), "more": "x"}).encode()
        self.assertEqual(made.GITHUB, read(body, "application/x-www-form-urlencoded"))
        parts = (
            b'--xx\r\nContent-Disposition: form-data; name="data"\r\n\r\n'
            + json.dumps(made.KUMA).encode()
            + b"\r\n--xx--\r\n"
        )
        self.assertEqual(made.KUMA, read(parts, "multipart/form-data; boundary=xx"))

    def test_what_is_no_document(self) -> None:
        form, parts = "application/x-www-form-urlencoded", "multipart/form-data; boundary=xx"
        for body, kind, status, code in (
            (b"", "application/json", 400, "bad-json"),
            (b"{", "application/json", 400, "bad-json"),
            (b"NaN", "application/json", 400, "bad-json"),
            (b"\xff", "text/plain", 400, "bad-json"),
            (b"[" * 100_000, "application/json", 400, "bad-json"),
            (b"a=1", form, 400, "bad-form"),
            (b"payload=%7B", form, 400, "bad-json"),
            (b"\xff=1", form, 400, "bad-form"),
            (b"a&" * 500, form, 400, "bad-form"),
            (b"payload=1&" * 500, form, 400, "bad-form"),
            (b"", parts, 400, "bad-form"),
            (b"--xx\r\n\r\n{}\r\n--xx--", parts, 400, "bad-form"),
            (b"{}", "multipart/form-data", 400, "bad-form"),
            (b"<a/>", "text/xml", 415, "bad-type"),
            (b"{}", "image/png", 415, "bad-type"),
        ):
            error = self.assertRaises(Refused, read, body, kind)
            self.assertEqual((status, code), (error.status, error.code), (body[:20], kind))
        packed = {"content-encoding": "gzip"}
        self.assertEqual(415, self.assertRaises(Refused, read, b"{}", None, **packed).status)

    @given(
        st.binary(max_size=200), st.sampled_from(["multipart/form-data; boundary=x", "text/plain"])
    )
    def test_any_bytes(self, body: bytes, kind: str) -> None:
        try:
            read(body, kind)
        except Refused:  # any other exception fails the test
            return


class DraftsTests(SynchronousTestCase):
    def drafts(self, table: Hook, document: Any) -> tuple[dict[str, Any], list[str]]:
        drafts, errors = table.drafts(document)
        return (
            {draft.stream: json.loads(draft.value or b"") for draft in drafts},
            [error.message for error in errors],
        )

    def test_value_of_a_build(self) -> None:
        build = hook('stream = "build.{/repository/name}"\npick = "/workflow_run/conclusion"')
        self.assertEqual(({"build.shop": "failure"}, []), self.drafts(build, made.GITHUB))

    def test_without_keys_the_delivery_is_the_value(self) -> None:
        self.assertEqual(({"x": 7}, []), self.drafts(hook(""), 7))
        self.assertEqual(
            ({"x.a": 7, "x.b_c": [1]}, []), self.drafts(hook(""), {"a": 7, "b c": [1]})
        )
        self.assertEqual(({"x": {"a": 7}}, []), self.drafts(hook("whole = true"), {"a": 7}))

    def test_table_of_pointers(self) -> None:
        both = hook('pick = { state = "/s", more = "/m" }')
        self.assertEqual(({"x.state": 1, "x.more": 2}, []), self.drafts(both, {"s": 1, "m": 2}))
        drafts, errors = self.drafts(both, {"s": 1})
        self.assertEqual(({"x.state": 1}, ["x.more: there is nothing at /m"]), (drafts, errors))

    def test_list_of_alerts(self) -> None:
        each = hook(
            'each = "/alerts"\nstream = "p.{/labels/alertname}.{/labels/instance}"\npick = "/status"'
        )
        batch = made.alertmanager(
            made.alert("firing", "HighLoad", "web-1:9100"),
            made.alert("resolved", "HighLoad", "web-2"),
        )
        told = {"p.HighLoad.web-1_9100": "firing", "p.HighLoad.web-2": "resolved"}
        self.assertEqual((told, []), self.drafts(each, batch))
        self.assertEqual(({}, []), self.drafts(each, {"alerts": []}))
        self.assertRaises(Refused, each.drafts, {"alerts": {}})
        self.assertRaises(Refused, each.drafts, [])

    def test_two_alerts_of_one_name_are_not_one_value(self) -> None:
        each = hook('each = "/alerts"\nstream = "p.{/labels/alertname}"\npick = "/status"')
        two = [made.alert("firing", "HighLoad", "a"), made.alert("resolved", "HighLoad", "b")]
        other = made.alert("firing", "Disk", "c")
        drafts, errors = self.drafts(each, made.alertmanager(*two, other))
        self.assertEqual({"p.Disk": "firing"}, drafts)
        self.assertEqual(["the delivery has two values of p.HighLoad"], errors)
        self.assertEqual(1, len(self.drafts(each, made.alertmanager(two[0], two[0]))[0]))

    def test_one_bad_part_stops_no_other(self) -> None:
        each = hook('each = ""\nstream = "p.{/n}"\npick = "/v"')
        drafts, errors = self.drafts(each, [{"n": "a", "v": 1}, {"v": 2}, 3, {"n": "b"}])
        self.assertEqual({"p.a": 1}, drafts)
        nothing = "there is nothing at /n"
        self.assertEqual([nothing, nothing, "p.b: there is nothing at /v"], errors)

    def test_conditions(self) -> None:
        done = hook('when = { "/action" = "completed" }\npick = "/n"')
        self.assertEqual(({"x": 1}, []), self.drafts(done, {"action": "completed", "n": 1}))
        self.assertEqual(({}, []), self.drafts(done, {"action": "requested", "n": 1}))

    def test_too_many_values(self) -> None:
        self.patch(delivery, "MAX_DRAFTS", 3)
        self.assertEqual(3, len(hook("").drafts(dict.fromkeys("abc", 1))[0]))
        self.assertEqual(
            413, self.assertRaises(Refused, hook("").drafts, dict.fromkeys("abcd", 1)).status
        )

    def test_events(self) -> None:
        github = hook('event = ["push", "workflow_run"]', "github")
        for event, why in (("push", ""), ("issues", "event"), ("ping", "test"), (None, "event")):
            headers = {} if event is None else {"x-github-event": event}
            self.assertEqual(why, github.ignores(headers, {}))
        self.assertEqual("", hook("", "github").ignores({"x-github-event": "issues"}, {}))
