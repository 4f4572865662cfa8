"""Runs one alert ``[alerts.NAME]``, as the source of the stream ``alerts.NAME``.

As a source it runs on one node of a cluster, under a lease, and all nodes show its health.  The
value of the stream says in a few words which conditions hold now.  It fails while a message cannot
be delivered, with the reason.

Each message is in a record of the journal before it is sent, and until it was delivered.  If the
process is killed in between, the next one sends the message again, with the same id.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.python.failure import Failure

from streamd.config.alerts import AlertTable
from streamd.config.fields import Problems, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.health.verdict import Health
from streamd.core.presentation import time_text
from streamd.core.record import read_record
from streamd.core.selection import Selection
from streamd.journals.journal import Away, Journal
from streamd.reactor.deadline import Deadline
from streamd.reactor.timer import Timer
from streamd.sources.alerts.apprise_sender import make_apprise_sender
from streamd.sources.alerts.delivery import AlertCounts, Delivery, Sender
from streamd.sources.alerts.message import compose, compose_test
from streamd.sources.alerts.outbox import AlertRecord, Outbox
from streamd.sources.alerts.watch import AlertEvent, Saying, Watch
from streamd.sources.alerts.webhook import make_webhook
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed
from streamd.sources.settings import SourceSettings

EVERY = 1.0
"""Seconds between two looks at the streams."""

ALERTS = "alerts"
"""The kind of the records with the events and the waiting messages of an alert."""

MUTES = "mutes"
"""The kind of the records that say until when an alert is muted, in seconds since the epoch."""


class AlertSettings(SourceSettings, frozen=True):
    """The settings of an alert.

    :ivar link: the address of the wall; None if it is not configured.
    """

    table: AlertTable
    link: str | None = None


class AlertSource:
    """Watches streams, and sends messages about their conditions.

    :ivar name: the name of the alert.
    :ivar stream: the name of its stream, ``alerts.NAME``.
    :ivar counts: counts of its events and messages.
    """

    every = None  # the stream has no schedule

    def __init__(
        self,
        name: str,
        settings: AlertSettings,
        senders: Mapping[str, Sender],
        surroundings: Surroundings,
    ) -> None:
        """:param name: the name of the stream, ``alerts.NAME``.

        :param senders: by the keys of their addresses, in the order of the configuration.
        """
        self.name = name.removeprefix("alerts.")
        self.counts = AlertCounts()
        self.stream = name
        self._link, self._zone, self._now = settings.link, surroundings.zone, surroundings.now
        self._clock = clock = surroundings.reactor
        self._selection = Selection(settings.table.streams)
        table = settings.table
        self._watch = Watch(table.when, table.lasting, table.remind, lambda: secrets.token_hex(8))
        self._outbox = Outbox()
        self._deliveries = [
            Delivery(key, f"{name}.to[{number}]", sender, self.counts, clock, self._now)
            for number, (key, sender) in enumerate(senders.items())
        ]
        self._recorded: tuple[int, bytes] | None = None  # the life of the log, and the record
        self._is_loaded = self._stopped = False
        self._turning: Deferred[None] | None = None
        self._told: str | None = None  # the error that the stream has
        self._timer = Timer(clock, EVERY, self.turn)
        self._soon = Deadline(clock)

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._timer.start()
        self.turn()

    def stop(self) -> Deferred[None]:
        self._stopped = True
        self._timer.stop()
        self._soon.cancel()
        for delivery in self._deliveries:
            delivery.stop()
        self._soon.cancel()  # an attempt that ends may have set it
        turning = self._turning
        return succeed(None) if turning is None else turning

    @property
    def events(self) -> Sequence[AlertEvent]:
        """The events that are not over, on the node that runs the alert."""
        return self._watch.events

    @property
    def waiting(self) -> int:
        """How many messages wait for an address, counted once for each address."""
        return sum(self._outbox.waiting(delivery.key) for delivery in self._deliveries)

    def test(self) -> Deferred[list[dict[str, Any]]]:
        """Send a test to each address now; fires with an entry for each: its error, or None."""
        message = compose_test(self.name, secrets.token_hex(8), self._now(), self._link)

        def ended(errors: list[str | None]) -> list[dict[str, Any]]:
            pairs = zip(self._deliveries, errors, strict=True)
            return [{"to": delivery.path, "error": error} for delivery, error in pairs]

        return gatherResults([d.test(message) for d in self._deliveries]).addCallback(ended)

    # -- a turn ------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Check the streams, store the messages to send, and send them; one turn at a time."""
        if self._stopped:
            return
        if self._turning is not None:
            self._soon.set(EVERY / 10, self.turn)
            return
        turning = self._turning = Deferred()
        running = Deferred.fromCoroutine(self._look())
        running.addErrback(self._feed.failed)
        running.addCallback(lambda _: self._turned(turning))

    def _turned(self, turning: Deferred[None]) -> None:
        self._turning = None
        turning.callback(None)

    async def _look(self) -> None:
        try:
            if not self._is_loaded:
                self._load(await self._feed.record(ALERTS))
            muted = _until(await self._feed.record(MUTES), self._now())
            self._decide(muted is not None)
            await self._keep()
        except Away:
            # A disk that is full is worth an alert.  In a cluster another node may take over, and only
            # the record would stop it from saying the same.
            if self._feed.shared or not self._is_loaded:
                return
            muted = None
        if not self._stopped:
            for delivery in self._deliveries:
                delivery.go(self._outbox, lambda: self._soon.set(0.0, self.turn))
            self._tell(muted)

    def _load(self, record: bytes | None) -> None:
        found = read_record(record, AlertRecord) or AlertRecord()
        self._watch.resume(found.events, found.untold, self._now(), self._clock.seconds())
        self._outbox = Outbox(found.letters, [delivery.key for delivery in self._deliveries])
        self._is_loaded = True

    def _decide(self, muted: bool) -> None:
        now = self._now()
        for saying in self._watch.look(self._amiss(), now, self._clock.seconds(), muted):
            self._say(saying, now)

    def _amiss(self) -> dict[str, Health]:
        """Return the health of the watched streams that are not fresh, or whose level is not ok."""
        return {
            stream.name: stream.health
            for stream in self._feed.state
            if (stream.health.state != "fresh" or stream.health.level != "ok")
            and stream.name in self._selection
            and stream.name != self.stream
        }

    def _say(self, saying: Saying, now: float) -> None:
        self.counts.begun += saying.kind == "begin"
        self.counts.ended += saying.kind == "end"
        find = self._feed.state.get
        message = compose(self.name, saying, find, now, self._link, self._zone)
        keys = [delivery.key for delivery in self._deliveries]
        for letter in self._outbox.add(message, now, keys):
            for delivery in self._deliveries:
                if delivery.key in letter.to:
                    delivery.lose(letter)

    async def _keep(self) -> None:
        """Store the events and the waiting messages, unless the journal has exactly these."""
        found = AlertRecord(self._watch.events, self._outbox.letters, self._watch.untold)
        record = msgspec.json.encode(found)
        recorded = self._feed.life, record
        if recorded != self._recorded:
            await self._feed.keep_record(ALERTS, record)
            self._recorded = recorded

    def _tell(self, muted: float | None) -> None:
        """Publish what holds, or fail while a message cannot be delivered."""
        failing = (d for d in self._deliveries if d.error is not None)
        errors = [f"{d.path.removeprefix(f'{self.stream}.')}: {d.error}" for d in failing]
        error = "; ".join(errors) or None
        if error is None:
            self._feed.put(self._summary(muted))
        elif error != self._told:
            self._feed.failed(Failure(SourceError(error)))
        self._told = error

    def _summary(self, muted: float | None) -> str:
        """Return the present conditions in a few words.

        Viewers of this stream may be forbidden to see the others.  Then it names none of them.
        """
        state = self._feed.state
        names = sorted({name for event in self._watch.events for name in event.open})
        text = f"{len(names)} streams" if names else "quiet"
        if len(names) == 1 and state.private:
            text = "1 stream"
        elif len(names) == 1:
            stream = state.get(names[0])
            text = (stream.description.title if stream is not None else None) or names[0]
        if muted is None:
            return text
        return f"{text}, muted until {time_text(muted, self._now(), self._zone)}"


def _until(record: bytes | None, now: float) -> float | None:
    """Return until when a record mutes the alert; None if it does not, or no longer."""
    until = read_record(record, float) or 0.0
    return until if until > now else None


def _key_of(secret: Secret, text: str) -> str:
    """Return the name of an address in the journal.

    It has no part of the address.  It stays the same when the text of a variable, a file or a
    credential is replaced.
    """
    for key, name in vars(secret).items():
        if key != "text" and name is not None:
            return f"{key} {name}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _make(name: str, settings: AlertSettings, surroundings: Surroundings) -> AlertSource:
    senders: dict[str, Sender] = {}
    problems = Problems()
    for number, secret in enumerate(settings.table.to):
        path = f"{name}.to[{number}]"
        with problems.collect():
            text = surroundings.reveal(path, secret)
            key = _key_of(secret, text)
            make = (
                make_webhook
                if text.lower().startswith(("http:", "https:"))
                else make_apprise_sender
            )
            if key in senders:
                problems.append(f"{path}: this address is listed already")
            senders[key] = make(path, text, surroundings)
    problems.check()
    return AlertSource(name, settings, senders, surroundings)


ALERT = Kind("alert", frozenset(), AlertSettings, _make, section="")
"""Made for each table of ``[alerts]``. It is not a kind that ``[sources]`` could name."""


class AlertControl:
    """The commands for one alert, on any node."""

    def __init__(self, source: AlertSource, journal: Journal, now: Callable[[], float]) -> None:
        """:param now: returns seconds since the epoch."""
        self._source, self._journal, self._now = source, journal, now

    def mute(self, seconds: float) -> Deferred[float]:
        """Mute the alert for some seconds; 0 unmutes it.

        Fires with the end, in seconds since the epoch.

        :raises Away: the journal cannot store the mute now.
        """
        until = self._now() + seconds
        # Any node may do this, so it is not under the lease of the node that runs the alert.
        keeping = self._journal.put(MUTES, self._source.stream, str(until).encode(), seconds)
        return keeping.addCallback(lambda _: until)

    def test(self) -> Deferred[list[dict[str, Any]]]:
        """Send a test to each address; see :meth:`AlertSource.test`."""
        return self._source.test()
