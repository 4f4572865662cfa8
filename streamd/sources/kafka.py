"""Reads a topic of Kafka: each record is an update, exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.names import by_name, end_of_name, join_ends
from streamd.core.parsed_text import ParsedText
from streamd.core.pointer import Pick
from streamd.core.update import MAX_TIME
from streamd.core.values import BadValue
from streamd.journals.journal import SourceCursor
from streamd.reactor.worker import Worker
from streamd.sources.brokers.kafka_client import (
    ALLOWED,
    BATCH,
    KafkaReader,
    KafkaRecord,
    OutOfRange,
)
from streamd.sources.feed import GONE
from streamd.sources.incoming_texts import read_text_or_why
from streamd.sources.polling import MIN_RETRY, PolledSource, Polling
from streamd.sources.settings import SourceSettings

MAX_FIRST = 1000
"""The most records of each partition that are published at the first start."""

MAX_OPTIONS = 30
"""The most properties of librdkafka in one table."""


class KafkaUrl(ParsedText):
    """``kafka://host:9092``, or several brokers with commas between them."""

    _FORM = 'expected a URL such as "kafka://localhost:9092" or "kafka://one:9092,two:9092"'

    def __init__(self, brokers: str) -> None:
        self.brokers = brokers

    @classmethod
    def parse(cls, written: Any) -> KafkaUrl:
        if not isinstance(written, str) or not written.startswith("kafka://"):
            raise ValueError(cls._FORM)
        brokers = []
        for broker in written.removeprefix("kafka://").rstrip("/").split(","):
            try:
                parts = urlsplit(f"kafka://{broker}")
                port = parts.port or 9092
            except ValueError:
                raise ValueError(cls._FORM) from None
            if "@" in broker:
                raise ValueError("expected no user and no password: those belong into options")
            if not parts.hostname or parts.path or parts.query or parts.fragment:
                raise ValueError(cls._FORM)
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            brokers.append(f"{host}:{port}")
        return cls(",".join(brokers))


class KafkaSettings(SourceSettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with a Kafka ``url``.

    :ivar key: whether the record's key is a part of the stream's name.
    :ivar begin: the record at which the very first start begins.
    :ivar options: properties of librdkafka, of :data:`ALLOWED`.
    """

    url: KafkaUrl
    topic: str
    key: bool = False
    pick: Pick = Pick("")
    begin: Literal["newest", "oldest"] = "newest"
    options: dict[str, Secret] = {}


class Place(msgspec.Struct, frozen=True):
    """The cursor of a source, as the journal keeps it: partition -> the offset to read next."""

    topic: str
    next: dict[int, int]


class KafkaSource(PolledSource):
    """Reads all partitions of a topic, with a new consumer after each failure.

    The offsets are stored in the journal in the same step as the updates, so that each record is
    published once.  Kafka's own groups are not used.
    """

    def __init__(self, name: str, settings: KafkaSettings, surroundings: Surroundings) -> None:
        self._name = name
        self._settings = settings
        options = _options(f"sources.{name}", settings, surroundings)
        self._options = {**options, "bootstrap.servers": settings.url.brokers}
        self._worker = Worker(surroundings.reactor, "kafka")
        self._polling = Polling(self._run, MIN_RETRY, surroundings.reactor)

    def stop(self) -> None:
        self._polling.cancel()
        self._worker.stop()

    async def _run(self) -> None:
        """Read until the consumer fails."""
        while True:
            reader = KafkaReader(self._options, self._settings.topic)
            try:
                await self._read(reader)
            except OutOfRange:
                continue  # what is left is read from its beginning, and is told as a gap
            finally:
                self._worker.run(reader.close)

    async def _read(self, reader: KafkaReader) -> None:
        """Publish records from the stored place on."""
        stored = await self._feed.place()
        known = None if stored is None else msgspec.json.decode(stored, type=Place)
        if known is not None and known.topic != self._settings.topic:
            known = None
        missing = await self._worker.run(reader.open, known and known.next, self._count())
        if missing:
            self._feed.missed(None)
        begun = missing
        while True:
            records = await self._worker.run(reader.read)
            if records:
                place = msgspec.json.encode(Place(self._settings.topic, reader.next)).decode()
                cursor = SourceCursor(self._name, stored, place)
                parts = [(self._parts(record), _time(record)) for record in records]
                await self._feed.add_parts(parts, cursor)
                stored = place
            if not reader.caught_up:
                continue  # of a stream there may be a newer record
            if not begun:
                self._feed.resumed()
                begun = True
            elif not records:
                self._feed.proved()

    def _count(self) -> int | None:
        """Return how many records of each partition are read at the first start; None for all."""
        if self._settings.begin == "oldest":
            return None
        return min(self._feed.keep.updates or BATCH, MAX_FIRST)

    def _parts(self, record: KafkaRecord) -> Mapping[str, Any]:
        """Return the values of a record by the ends of the streams' names."""
        end = ""
        if self._settings.key and record.key is not None:
            end = end_of_name(record.key.decode(errors="replace"))
        if record.value is None:
            return {end: GONE} if self._settings.key else {}
        value = read_text_or_why(record.value)
        if not isinstance(value, BadValue):
            value = self._settings.pick.out_of(value)
        if isinstance(value, Mapping) and not self._settings.whole:
            return {join_ends(end, member): part for member, part in by_name(value).items()}
        return {end: value}


def _time(record: KafkaRecord) -> float | None:
    return record.time if record.time is not None and record.time <= MAX_TIME else None


def _options(path: str, settings: KafkaSettings, surroundings: Surroundings) -> dict[str, str]:
    """Check the settings, and return the properties of librdkafka in plain text."""
    if not settings.topic or settings.topic.startswith("^"):
        raise ConfigError([f"{path}.topic: expected the name of one topic"])
    try:
        import confluent_kafka
    except ImportError:
        needs = needs_extra("Kafka", "confluent-kafka", "kafka")
        raise ConfigError([f"{path}.url: {needs}"]) from None
    options = _revealed(path, settings.options, surroundings)
    try:
        # librdkafka checks names, values and files.  Without an address it connects to nobody.
        confluent_kafka.Consumer({"group.id": "check", "log_level": 0, **options}).close()
    except confluent_kafka.KafkaException as exception:
        raise ConfigError([f"{path}.options: {exception.args[0].str()}"]) from None
    return options


def _revealed(
    path: str, written: Mapping[str, Secret], surroundings: Surroundings
) -> dict[str, str]:
    """Return the properties of librdkafka as texts, with paths from the folder of the configuration."""
    if len(written) > MAX_OPTIONS:
        raise ConfigError([f"{path}.options: expected at most {MAX_OPTIONS}"])
    options = {}
    for option, secret in written.items():
        if option not in ALLOWED:
            known: Sequence[str] = sorted(ALLOWED)
            text = f"expected one of {', '.join(known)}"
            raise ConfigError([f"{path}.options.{option}: {text}"])
        options[option] = surroundings.reveal(f"{path}.options.{option}", secret)
        if option.endswith(".location"):
            options[option] = str(surroundings.base / options[option])
    return options


KIND = Kind("kafka", frozenset(("kafka:",)), KafkaSettings, KafkaSource)
