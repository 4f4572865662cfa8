"""Metrics: reads the counts of all parts when a monitor asks, and gives them names.

The parts keep plain numbers and know nothing of Prometheus, so counting costs them next to nothing.  A
label has a value from the configuration or from the code, such as the name of a source or the code of a
refusal.  Names that publishers invent are never a label, so they cannot make the answer grow.

To add a metric, keep a number in the part that knows it, and add a line to the function below that
reads this part.  ``docs/operations.rst`` lists all names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder

from streamd import __version__
from streamd.app.alerts import alerts_of
from streamd.cluster.shifts import Shifts
from streamd.core.errors import Refused
from streamd.core.histogram import Histogram
from streamd.core.state import State
from streamd.http.connection_limits import ConnectionLimits
from streamd.http.publishing.publish import Publisher
from streamd.http.reading.metrics import Metrics
from streamd.http.request import Handover, Request
from streamd.http.site import Site
from streamd.http.viewers.events import EventStreams
from streamd.http.viewers.poll import Polls
from streamd.http.viewers.socketio import SocketIo
from streamd.http.viewers.websocket import StreamFactory
from streamd.hub.hub import Hub
from streamd.hub.open_viewers import OpenViewers
from streamd.hub.screens import Screens
from streamd.journals.journal import Journal

MAX_MONITORS = 100
"""The most connections to a port for the metrics alone: each monitor needs one."""


class MeasuredParts(Protocol):
    """The parts of the daemon that keep counts."""

    state: State
    hub: Hub
    viewers: StreamFactory
    events: EventStreams
    polls: Polls
    socketio: SocketIo
    publisher: Publisher
    screens: Screens
    site: Site
    shifts: Shifts

    @property
    def journal(self) -> Journal:
        """The journal."""


class Exposition:
    """Makes the text of all metrics of one daemon.

    :ivar readers: functions that yield the metrics of one part each.
    """

    def __init__(self, parts: MeasuredParts) -> None:
        """:param parts: they are read at each call, so they may still be incomplete now."""
        self.readers: list[Callable[[MeasuredParts], Iterable[Metric]]] = [
            _viewers,
            _updates,
            _connections,
            _streams,
            _sources,
            _alerts,
            _journal,
        ]
        self._parts = parts
        # The default registry of the library would add the counts of two daemons in one process.
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; the registry calls this."""
        info = InfoMetricFamily("streamd", "The version of streamd.")
        info.add_metric([], {"version": __version__})
        yield info
        for read in self.readers:
            yield from read(self._parts)

    def __call__(self, accept: str) -> tuple[bytes, str]:
        """Return the text in the format that a client prefers, and its content type.

        :param accept: the header ``Accept`` of the request.
        """
        try:
            encode, kind = choose_encoder(accept)
        except (TypeError, ValueError):  # it asks for a version that is no number
            encode, kind = choose_encoder("")
        return encode(self._registry), kind


def metrics_site(site: Site, metrics: Metrics) -> Site:
    """Make the site of a port that serves only the metrics.

    It shares the bounds on memory with the site of the wall, but not the bound on connections: a
    monitor gets in while the wall is crowded.
    """
    return Site(
        site.access,
        (metrics,),
        (),
        lambda: None,
        lambda: 0,
        _no_viewer,
        ConnectionLimits((), lambda client: 0, 0, MAX_MONITORS),
        site.uploads,
        site.clock,
        site.security,
        site.unread,
        site.packer,
    )


def _no_viewer(request: Request) -> Handover:
    raise Refused(404, "not-found", "this port has only /metrics")


# -- one function for each part --------------------------------------------------------------------


def _viewers(parts: MeasuredParts) -> Iterator[Metric]:
    kinds: dict[str, OpenViewers[Any]] = {
        "websocket": parts.viewers.protocols,
        "events": parts.events.protocols,
        "socketio": parts.socketio.sockets.protocols,
    }
    polls = {"poll": len(parts.polls), "socketio-poll": len(parts.socketio.sessions)}
    now = {name: len(kind) for name, kind in kinds.items()}
    yield _gauge("viewers", "Viewers that are connected.", now | polls, "transport")
    came = {name: kind.left + len(kind) for name, kind in kinds.items()}
    came["poll"] = parts.polls.waited
    sessions = parts.socketio.sessions
    came["socketio-poll"] = sessions.left + len(sessions)
    yield _counter("viewers_opened", "Viewers that came.", came, "transport")
    lagging = {name: sum(not viewer.ready for viewer in kind) for name, kind in kinds.items()}
    yield _gauge("viewers_lagging", "Viewers that did not read it all yet.", lagging, "transport")
    dropped = {
        "silent": sum(kind.lost for kind in (*kinds.values(), sessions)),
        "abuse": parts.viewers.refused + parts.socketio.sockets.refused,
        "error": parts.hub.dropped,
    }
    yield _counter("viewers_dropped", "Viewers whose connection was closed.", dropped, "reason")
    screens = {"connected": parts.screens.connected, "missing": parts.screens.missing}
    yield _gauge("screens", "Screens that report, and those of the last week.", screens, "state")


def _updates(parts: MeasuredParts) -> Iterator[Metric]:
    deliveries = parts.hub.audiences.deliveries
    yield _counter("updates_in", "Updates that were committed.", parts.state.applied)
    yield _counter("published", "Updates that clients published.", parts.publisher.published)
    for name, about, attribute in (
        ("updates_out", "Updates in messages to viewers that were there before.", "updates"),
        ("updates_backlog", "Updates in the first messages to viewers.", "backlog"),
        ("updates_coalesced", "Updates that newer values replaced before the message.", "skipped"),
        ("messages_out", "Messages with changes.", "messages"),
        ("bytes_out", "Bytes to viewers, without those of TLS.", "octets"),
    ):
        values = {encoding: getattr(each, attribute) for encoding, each in deliveries.items()}
        yield _counter(name, about, values, "encoding")
    times = parts.hub.audiences.times
    yield _histogram("flush_seconds", "How long a turn of a flush took.", {"": times.turns})
    about = "How long updates waited until the last viewer was written to."
    yield _histogram("delay_seconds", about, {"": times.delays})


def _connections(parts: MeasuredParts) -> Iterator[Metric]:
    site = parts.site
    yield _gauge("http_connections", "Connections that are no viewer's.", len(site.channels))
    yield _counter("http_requests", "Requests, without handshakes.", site.requests)
    yield _counter("handshakes", "Handshakes of WebSockets.", site.handshakes)
    yield _counter("refused", "Requests and handshakes that were refused.", site.refused, "reason")
    displaced = site.limits.displaced
    yield _counter("connections_displaced", "Connections closed for newer ones.", displaced)


def _streams(parts: MeasuredParts) -> Iterator[Metric]:
    states = Counter(fresh=0, late=0, failed=0)
    levels = Counter(ok=0, warn=0, critical=0)
    for stream in parts.state:
        states[stream.health.state] += 1
        levels[stream.health.level] += 1
    yield _gauge("streams", "Streams by the state of their health.", states, "state")
    yield _gauge("streams_level", "Streams by the level of their values.", levels, "level")
    kept = parts.state.kept
    yield _gauge("history_bytes", "Memory of all history.", kept.size + kept.long)


def _sources(parts: MeasuredParts) -> Iterator[Metric]:
    records = parts.state.sources.records
    here = {shift.name: records[shift.name] for shift in parts.shifts}
    running = {shift.name: int(shift.runs) for shift in parts.shifts}
    yield _gauge("source_running", "1 if this node runs the source.", running, "source")
    failing = {name: int(record.fails) for name, record in here.items()}
    yield _gauge("source_failing", "1 if the last run failed.", failing, "source")
    readings = {name: record.readings for name, record in here.items()}
    yield _counter("source_readings", "Readings that are in the log.", readings, "source")
    errors = {name: record.failures for name, record in here.items()}
    yield _counter("source_errors", "How often the source failed.", errors, "source")
    runs = {name: record.durations for name, record in here.items() if record.durations.count}
    yield _histogram("source_run_seconds", "How long runs took.", runs, "source")


def _alerts(parts: MeasuredParts) -> Iterator[Metric]:
    alerts = alerts_of(parts.shifts)
    running = {name: len(alert.events) for name, alert in alerts.items()}
    yield _gauge("alert_events", "Events that are not over.", running, "alert")
    waiting = {name: alert.waiting for name, alert in alerts.items()}
    yield _gauge("alert_waiting", "Messages that wait for an address.", waiting, "alert")
    for name, about, attribute in (
        ("alert_begun", "Events that began.", "begun"),
        ("alert_delivered", "Messages that an address took.", "delivered"),
        ("alert_failed", "Attempts that failed.", "failed"),
        ("alert_lost", "Messages that an address never got.", "lost"),
    ):
        counts = {alert: getattr(each.counts, attribute) for alert, each in alerts.items()}
        yield _counter(name, about, counts, "alert")


def _journal(parts: MeasuredParts) -> Iterator[Metric]:
    journal, appends = parts.journal, parts.journal.appends
    told = parts.state.journal
    away = not parts.state.life or (told is not None and told["state"] == "away")
    yield _gauge("journal_away", "1 while nothing can be committed.", int(away))
    yield _gauge("journal_waiting", "Requests that wait for the journal.", journal.waiting)
    yield _counter("appended", "Updates that this node appended.", appends.updates)
    yield _counter("appended_bytes", "Bytes of the values of these updates.", appends.octets)
    about = "How long appends waited for their commit."
    yield _histogram("append_seconds", about, {"": appends.delays})
    yield _counter("append_errors", "Appends that failed.", appends.errors, "reason")


# -- from numbers to metrics -----------------------------------------------------------------------

Values = float | Mapping[str, float]
"""The value of a metric, or its values by the values of its label."""


def _counter(name: str, about: str, values: Values, label: str = "") -> Metric:
    return _filled(CounterMetricFamily, name, about, values, label)


def _gauge(name: str, about: str, values: Values, label: str = "") -> Metric:
    return _filled(GaugeMetricFamily, name, about, values, label)


def _filled(
    family: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    about: str,
    values: Values,
    label: str,
) -> Metric:
    if not isinstance(values, Mapping):
        return family(f"streamd_{name}", about, value=values)
    metric = family(f"streamd_{name}", about, labels=[label])
    for of, value in values.items():
        metric.add_metric([of], value)
    return metric


def _histogram(
    name: str, about: str, histograms: Mapping[str, Histogram], label: str = ""
) -> Metric:
    """Make a metric of histograms by the values of their label; one without a label has the key ""."""
    metric = HistogramMetricFamily(f"streamd_{name}", about, labels=[label] if label else ())
    for of, histogram in histograms.items():
        buckets = [
            ("+Inf" if bound == float("inf") else repr(bound), count)
            for bound, count in histogram.cumulative()
        ]
        metric.add_metric([of] if label else [], buckets, histogram.total)
    return metric
