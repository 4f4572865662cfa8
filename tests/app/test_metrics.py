"""What a monitor reads: the counts add up, start at nothing, and no invented name is in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count as count_from_0
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from websockets.sync.client import ClientConnection

from streamd.core.update import Draft
from tests.support.daemon import CHECKOUT, StartDaemon
from tests.support.net import free_port, request, wait_until
from tests.support.served import QUIET, Serve, Served, handshake, head, in_thread

SOURCES = """
[access]
publish = "loopback"
[sources.walk]
kind = "random_walk"
[sources.broken]
command = "exit 1"
every = "1h"
"""


class Scrape:
    """One answer of `/metrics`, parsed by the library of Prometheus."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = list(samples(text))

    def __call__(self, name: str, **labels: str) -> float:
        """The value of a metric, or the sum of its values with these labels."""
        found = [s.value for s in self.samples if s.name == f"streamd_{name}" and has(s, labels)]
        assert found, f"{name} {labels} is not in\n{self.text}"
        return sum(found)


def samples(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


def has(sample: Sample, labels: dict[str, str]) -> bool:
    return labels.items() <= sample.labels.items()


def scrape(served: Any) -> Scrape:
    answer = served.request("GET", "/metrics")
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(answer.text)


@in_thread
def test_what_went_out_is_what_came_in_for_each_viewer(served: Served) -> None:
    """Some viewers are told each update, some only the newest, and all read late."""
    with ExitStack() as stack:
        slow, v1 = "/ws?pace=200ms", {"subprotocols": ["streamd.v1"]}
        kinds: list[tuple[str, Any, int]] = [("/ws", v1, 10), (slow, v1, 10), ("/ws", {}, 20)]
        viewers = [
            stack.enter_context(served.connect(path, **options))
            for path, options, count in kinds
            for _ in range(count)
        ]
        wait_until(lambda: len(served.service.hub) == 40)
        for _ in range(40):
            served.run(publish, served, 150)
        wait_until(
            lambda: not any(map(read_all, viewers)) and not served.run(is_behind, served), 40
        )
        found = scrape(served)
        assert found("updates_in_total") == 40 * 150
        assert found("viewers", transport="websocket") == 40
        out, coalesced = found("updates_out_total"), found("updates_coalesced_total")
        assert out == 40 * 150 * 40 - coalesced
        assert out > 0 < coalesced
        assert found("updates_backlog_total") == 0
        assert found("bytes_out_total") > out * 700
        assert found("flush_seconds_count") >= found("delay_seconds_count") > 0
        assert found("append_seconds_count") == 40
        assert found("appended_total") == 40 * 150
        assert found("appended_bytes_total") == 40 * 150 * 702


def publish(served: Served, count: int) -> None:
    value = b'"%s"' % (b"x" * 700)
    served.service.journal.append([Draft(f"s.{number % 7}", value) for number in range(count)])


def read_all(viewer: ClientConnection) -> int:
    """Read what has arrived, and return how many messages that were."""
    for count in count_from_0():
        try:
            viewer.recv(timeout=0)
        except TimeoutError:
            return count
    raise AssertionError


def is_behind(served: Served) -> bool:
    head = served.service.state.head
    viewers = (v for audience in served.service.hub.audiences for v in audience.viewers)
    return any(not v.ready or v.unsent is not None or v.cursor.at < head for v in viewers)


@in_thread
def test_invented_names_add_no_label(served: Served) -> None:
    before = scrape(served)
    names = [f"n{number:05}" for number in range(10_000)]
    served.post(names[0], 1)
    served.run(append_all, served, names)
    for path in (*names[:200], *(f"streams/{name}?x=1" for name in names[:200])):
        served.request("GET", f"/{path}")
        served.request("POST", f"/streams/{path[:5]}%00", "1")
    with served.connect(f"/ws?streams={names[7]},{names[8]}") as viewer:
        viewer.recv(timeout=20)
        after = scrape(served)
    assert after("streams") == 10_000
    assert len(after.samples) < len(before.samples) + 30
    assert not any(name in after.text for name in names)


def append_all(served: Served, names: Sequence[str]) -> None:
    for start in range(0, len(names), 5000):
        served.service.journal.append([Draft(n, b"1") for n in names[start : start + 5000]])


@in_thread
def test_each_kind_of_viewer_and_refusal_is_counted(served: Served) -> None:
    with served.connect() as viewer, served.connect("/?streams=a"):
        viewer.recv(timeout=20)
        events = served.wire(head("GET", "/events"))
        events.head()
        poll = served.wire(head("GET", "/updates?streams=none&after=0-0&wait=20"))
        wait_until(lambda: len(served.service.hub) == 4)
        found = scrape(served)
        assert found("viewers", transport="websocket") == 2
        assert found("viewers", transport="events") == 1
        assert found("viewers", transport="poll") == 1
        served.post("none", 1)
        poll.answer()
    wait_until(lambda: not served.service.viewers.protocols)
    served.request("GET", "/nothing")
    served.request("GET", "/ws")
    served.wire(handshake("/ws?pace=never")).answer()
    found = scrape(served)
    assert found("viewers", transport="websocket") == 0
    assert found("viewers_opened_total", transport="websocket") == 2
    assert found("viewers_opened_total", transport="poll") == 1
    assert found("handshakes_total") == 3
    assert found("refused_total", reason="not-found") == 1
    assert found("refused_total", reason="upgrade-required") == 1
    assert found("refused_total") == 3
    assert found("published_total") == 1


@in_thread
def test_a_viewer_that_does_not_read_lags(served: Served) -> None:
    served.wire(handshake("/ws", "Sec-WebSocket-Protocol: streamd.v1"), receive_buffer=4096).head()
    wait_until(lambda: len(served.service.hub) == 1)

    def lags() -> bool:
        served.run(publish, served, 700)
        return scrape(served)("viewers_lagging", transport="websocket") == 1

    wait_until(lags)


@in_thread
def test_sources_have_their_names_from_the_configuration(serve: Serve) -> None:
    served = serve(SOURCES)

    def ran() -> bool:
        found = scrape(served)
        failed = found("source_errors_total", source="broken") >= 1
        return failed and found("source_readings_total", source="walk") >= 2

    wait_until(ran)
    found = scrape(served)
    assert found("source_failing", source="broken") == 1
    assert found("source_failing", source="walk") == 0
    assert found("source_running") == 2
    assert found("source_run_seconds_count", source="broken") >= 1
    assert found("streams", state="failed") == 1


@in_thread
def test_alerts_are_counted(serve: Serve) -> None:
    alert = '[alerts.shop]\nstreams = ["s"]\nfor = "1s"\nto = ["http://127.0.0.1:1/"]\n'
    served = serve(f"{QUIET}\n[streams.s]\ncritical = '> 1'\n{alert}")
    assert scrape(served)("alert_events", alert="shop") == 0
    served.post("s", 2)
    wait_until(lambda: scrape(served)("alert_failed_total", alert="shop") >= 1, 40)
    found = scrape(served)
    counts = ("events", "waiting", "begun_total", "delivered_total", "lost_total")
    assert [found(f"alert_{name}", alert="shop") for name in counts] == [1, 1, 1, 0, 0]


@in_thread
def test_screens_are_counted(served: Served) -> None:
    with served.connect("/ws", subprotocols=["streamd.v1"]) as viewer:
        report = {"type": "screen", "name": "kitchen", "wall": "kitchen", "at": "0-0", "delay": 0.1}
        viewer.send(json.dumps(report))
        wait_until(lambda: scrape(served)("screens", state="connected") == 1)
    wait_until(lambda: scrape(served)("screens", state="missing") == 1)


@in_thread
def test_two_daemons_in_one_process_count_for_themselves(serve: Serve) -> None:
    one, other = serve(), serve()
    one.post("a", 1)
    assert scrape(one)("updates_in_total") == 1
    assert scrape(other)("updates_in_total") == 0


@in_thread
def test_openmetrics_for_clients_that_prefer_it(served: Served) -> None:
    kind = "application/openmetrics-text; version=1.0.0"
    answer = served.request("GET", "/metrics", headers={"Accept": kind})
    assert answer.headers["Content-Type"].startswith(kind)
    assert answer.text.endswith("# EOF\n")
    for wrong in ("application/openmetrics-text; version=abc", "text/plain; version=1e9;q=x"):
        answer = served.request("GET", "/metrics", headers={"Accept": wrong})
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith(("text/plain", kind.partition(";")[0]))


def test_a_restart_begins_at_nothing(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(config=f'{QUIET}\n[journal]\npath = "streamd.db"')
    daemon.request("POST", "/streams/a", "1")
    assert scrape(daemon)("updates_in_total") == 1
    daemon.restart()
    assert scrape(daemon)("updates_in_total") == 0
    assert scrape(daemon)("streams") == 1


def test_a_port_of_its_own(start_daemon: StartDaemon) -> None:
    port = free_port()
    endpoint = f"tcp:{port}:interface=127.0.0.1"
    daemon = start_daemon(config=f'[server]\nmetrics_port = "{endpoint}"')
    assert request(port, "GET", "/metrics").status == 200
    for path in ("/", "/state", "/ws", "/healthz", "/streams"):
        assert request(port, "GET", path).status == 404, path
    assert f"the metrics are at http://localhost:{port}/metrics" in daemon.log()


def test_a_port_that_is_taken_ends_the_start_with_a_line(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    text = f'[server]\nmetrics_port = "tcp:{daemon.port}:interface=127.0.0.1"'
    with pytest.raises(AssertionError, match=r"server\.metrics_port: cannot listen on"):
        start_daemon(config=text)


@in_thread
def test_the_page_on_operations_lists_every_metric(serve: Serve) -> None:
    served = serve(SOURCES)
    with served.connect() as viewer:
        viewer.recv(timeout=20)
        wait_until(lambda: "streamd_source_run_seconds_count" in scrape(served).text)
        found = scrape(served)
    page = (CHECKOUT / "docs/operations.rst").read_text()
    listed = dict(re.findall(r"^``([a-z_]+)``(?: \(([a-z]+)\))?", page, re.MULTILINE))
    families = text_string_to_metric_families(found.text)
    metrics = [family for family in families if family.name.startswith("streamd_")]
    ends = {"counter": "_total", "info": "_info"}
    names = {f.name.removeprefix("streamd_") + ends.get(f.type, ""): f for f in metrics}
    names = {("info" if name == "streamd_info" else name): f for name, f in names.items()}
    assert {name for name in listed if not name.startswith("process_")} == names.keys()
    for name, family in names.items():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels <= {listed[name]}, name


def sample_names(text: str) -> set[str]:
    """The names of all samples that the metrics may have, those without one yet included."""
    ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}
    families = text_string_to_metric_families(text)
    return {f.name + end for f in families for end in ends.get(f.type, ("",))}


@in_thread
def test_the_dashboard_and_the_alert_rules_name_metrics_that_exist(serve: Serve) -> None:
    served = serve(SOURCES)
    wait_until(lambda: "streamd_source_run_seconds_count" in scrape(served).text)
    known = sample_names(scrape(served).text)
    for file in ("docs/grafana.json", "docs/alerts.yml"):
        named = set(re.findall(r"\b(?:streamd|process)_[a-z_]+", (CHECKOUT / file).read_text()))
        assert len(named) > 10, file
        assert named - known == set(), file


def test_the_alert_rules_are_whole() -> None:
    """`promtool check rules` accepts them; here only their structure is checked."""
    [group] = yaml.safe_load((CHECKOUT / "docs/alerts.yml").read_text())["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for rule in group["rules"]:
        assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary"}
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    dashboard = json.loads((CHECKOUT / "docs/grafana.json").read_text())
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in dashboard["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            assert '{job="$job"' in target["expr"], panel["title"]
