"""One consumer of a Kafka topic.  Its methods block: a worker calls them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.polling import PING

TIMEOUT = 3.0
"""Seconds that a broker has to answer."""

BATCH = 100
"""The most records in one append."""

LOOK = 10
"""Looks at a broker between two looks for new partitions."""

BOUNDS: Mapping[str, Any] = {
    "group.id": "streamd",  # required, and not used: the journal keeps the offsets
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "allow.auto.create.topics": False,
    "auto.offset.reset": "error",
    "queued.max.messages.kbytes": 8192,
    "queued.min.messages": 1000,
    "fetch.max.bytes": 8 * 2**20,
    "max.partition.fetch.bytes": 2**20,
    "fetch.wait.max.ms": 250,
    "socket.timeout.ms": 3000,
    "socket.connection.setup.timeout.ms": 3000,
    "reconnect.backoff.ms": 1000,
    "reconnect.backoff.max.ms": 4000,
    "topic.metadata.refresh.interval.ms": 10_000,
    "log_level": 2,
}
"""What bounds memory and time.  A batch of records is at most 8 MiB, or one record."""

ALLOWED = frozenset(
    (
        "broker.address.family",
        "client.id",
        "client.rack",
        "enable.ssl.certificate.verification",
        "isolation.level",
        "sasl.kerberos.keytab",
        "sasl.kerberos.principal",
        "sasl.kerberos.service.name",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.extensions",
        "sasl.oauthbearer.method",
        "sasl.oauthbearer.scope",
        "sasl.oauthbearer.token.endpoint.url",
        "sasl.password",
        "sasl.username",
        "security.protocol",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.certificate.pem",
        "ssl.cipher.suites",
        "ssl.endpoint.identification.algorithm",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.key.pem",
    )
)
"""The properties of librdkafka that a configuration may set.  Others run programs, load code, or would
change what :data:`BOUNDS` says."""

_logger = logging.getLogger("streamd.kafka")
_logger.addHandler(logging.NullHandler())
_logger.propagate = False  # librdkafka repeats itself; walls and our log get the errors


class KafkaRecord(NamedTuple):
    """One record of a topic.

    :ivar value: None for a tombstone.
    :ivar time: in seconds since the epoch; None if the record has no time.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    time: float | None


class OutOfRange(Exception):
    """The broker has deleted the records that the source has to read next."""


class KafkaReader:
    """Reads all partitions of a topic from given offsets on.

    :ivar next: partition -> the offset of the record to be read next.
    :ivar caught_up: whether all records were read that the broker had when reading began.
    """

    def __init__(self, options: Mapping[str, Any], topic: str) -> None:
        """:param options: properties of librdkafka, with ``bootstrap.servers``."""
        self._topic = topic
        self._refused: Any = None  # the newest error of a login
        self._trouble: Any = None  # an error that was read behind records
        self._looks = 0
        self.next: dict[int, int] = {}
        self.caught_up = False
        self._behind: dict[int, int] = {}  # partition -> the offset up to which it is to be read
        self._settings = {**BOUNDS, **options, "error_cb": self._note}
        self._consumer: Any = None

    def open(self, known: Mapping[int, int] | None, count: int | None) -> bool:
        """Begin to read.

        :param known: partition -> the offset to read next; None for the first start.  Partitions that
            are not in it are new: they are read from the beginning.
        :param count: at the first start, how many of the newest records of each partition are read;
            None for all.
        :returns: whether records are missing, because the broker does not have those offsets.
        """
        from confluent_kafka import Consumer

        self._consumer = Consumer(self._settings, logger=_logger)
        missing = False
        for partition in self._partitions():
            low, high = self._ends(partition)
            if known is None:
                at = low if count is None else max(low, high - count)
            else:
                at = known.get(partition, low)
                if not low <= at <= high:  # deleted since; or another topic has the name now
                    at, missing = low, True
            self.next[partition] = at
            self._behind[partition] = high
        self._consumer.assign([self._place(partition) for partition in self.next])
        return missing

    def read(self) -> Sequence[KafkaRecord]:
        """Return the next records, in order; no records if none came for a second.

        :raises OutOfRange: if the broker has deleted them.
        :raises SourceError: if they cannot be read.
        """
        if self._trouble is not None:
            raise self._error(self._trouble)
        first = self._consumer.poll(PING)
        if first is None:
            self._look()
            self.caught_up = True  # the last offsets may be those of transactions, not of records
            return []
        records = []
        for message in chain([first], self._consumer.consume(BATCH - 1, 0)):
            if message.error() is not None:
                self._trouble = message.error()
                break
            partition, offset = message.partition(), message.offset()
            self.next[partition] = offset + 1
            kind, ms = message.timestamp()
            time = ms / 1000 if kind and ms >= 0 else None
            records.append(KafkaRecord(partition, offset, message.key(), message.value(), time))
        self.caught_up |= all(self.next[part] >= end for part, end in self._behind.items())
        if self._trouble is not None and not records:
            raise self._error(self._trouble)
        return records

    def close(self) -> None:
        """End the consumer."""
        if self._consumer is not None:
            self._consumer.close()

    def _place(self, partition: int) -> Any:
        from confluent_kafka import TopicPartition

        return TopicPartition(self._topic, partition, self.next.get(partition, 0))

    def _look(self) -> None:
        """Check that a broker answers, another one each time; look for new partitions."""
        self._looks += 1
        partitions = [*self.next]
        self._ends(partitions[self._looks % len(partitions)])
        if self._looks % LOOK == 0:
            for partition in set(self._partitions()) - self.next.keys():
                self.next[partition] = self._ends(partition)[0]
                self._consumer.incremental_assign([self._place(partition)])

    def _partitions(self) -> Sequence[int]:
        about = self._ask(lambda: self._consumer.list_topics(self._topic, TIMEOUT))
        topic = about.topics[self._topic]
        if topic.error is not None:
            raise self._error(topic.error)
        if not topic.partitions:
            raise Unreachable("the topic has no partition yet")
        return sorted(topic.partitions)

    def _ends(self, partition: int) -> tuple[int, int]:
        """Return the offsets of the first record that the broker has, and of the next one to come."""
        place = self._place(partition)
        found = self._ask(
            lambda: self._consumer.get_watermark_offsets(place, TIMEOUT, cached=False)
        )
        if found is None:
            raise Unreachable("Kafka does not answer")
        low, high = found
        return low, high

    def _ask(self, question: Any) -> Any:
        from confluent_kafka import KafkaException

        try:
            return question()
        except KafkaException as exception:
            if self._refused is None:
                self._consumer.poll(0)  # calls _note with what is waiting
            raise self._error(self._refused or exception.args[0]) from None

    def _note(self, error: Any) -> None:
        """Keep what librdkafka says about a login: what it answers then is only that nobody answers."""
        from confluent_kafka import KafkaError

        if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):
            self._refused = error

    def _error(self, error: Any) -> Exception:
        """Return the error that walls may show: what librdkafka says has addresses in it."""
        from confluent_kafka import KafkaError

        detail = f"({error.str()})"
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            return OutOfRange(detail)
        unreachable = {
            KafkaError._ALL_BROKERS_DOWN: "Kafka cannot be reached",
            KafkaError._RESOLVE: "the host of Kafka is not known",
            KafkaError._SSL: "TLS with Kafka failed",
            KafkaError._TIMED_OUT: "Kafka does not answer",
            KafkaError._TIMED_OUT_QUEUE: "Kafka does not answer",
            KafkaError._TRANSPORT: "Kafka cannot be reached",
            KafkaError._UNKNOWN_PARTITION: "Kafka cannot be reached",  # it has no leader
            KafkaError.LEADER_NOT_AVAILABLE: "Kafka has no leader for the topic",
            KafkaError.NOT_LEADER_FOR_PARTITION: "Kafka has no leader for the topic",
        }
        if error.code() in unreachable:
            return Unreachable(unreachable[error.code()], detail)
        refusals = {
            KafkaError._AUTHENTICATION: ("Kafka refuses the login", "options"),
            KafkaError.SASL_AUTHENTICATION_FAILED: ("Kafka refuses the login", "options"),
            KafkaError.TOPIC_AUTHORIZATION_FAILED: ("Kafka does not allow this topic", "topic"),
            KafkaError.UNKNOWN_TOPIC_OR_PART: ("Kafka has no such topic", "topic"),
            KafkaError._UNKNOWN_TOPIC: ("Kafka has no such topic", "topic"),
        }
        text, key = refusals.get(error.code(), (f"Kafka: {error.name()}", "topic"))
        return SourceError(text, detail, key)
