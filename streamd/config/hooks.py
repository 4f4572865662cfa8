"""The tables ``[hooks.NAME]``: which streams the deliveries of other programs become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from streamd.config.fields import Secret
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.parsed_text import ParsedText
from streamd.core.pointer import Pick, check_pointer, follow
from streamd.core.selection import Selection
from streamd.core.streams import Expected
from streamd.core.template import Template

MAX_HOOKS = 100
"""The most hooks: each remembers some kilobytes of deliveries, and is compared with each new stream."""

SenderName = Literal[
    "alertmanager", "github", "gitlab", "grafana", "standard", "stripe", "uptime-kuma", "any"
]
"""The senders whose signatures, events and repetitions are known.  ``standard`` signs as
standardwebhooks.com says."""

SENDERS: tuple[str, ...] = get_args(SenderName)

WITH_EVENTS = frozenset(("github", "gitlab", "stripe"))
"""The senders that say which kind of event a delivery is."""


class Pointer(str):
    """A JSON pointer."""

    @classmethod
    def parse(cls, written: Any) -> Pointer:
        return cls(check_pointer(written))


class Wanted(ParsedText):
    """A list of texts, numbers and truth values; a part of a document has to equal one of them."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = tuple(values)

    @classmethod
    def parse(cls, written: Any) -> Wanted:
        values = written if isinstance(written, list) else [written]
        if not values or not all(isinstance(value, str | int | float) for value in values):
            raise ValueError('expected a value such as "completed", or a list of values')
        return cls(values)

    def __contains__(self, found: Any) -> bool:
        # In Python, True equals 1.
        return any(
            found == value and isinstance(found, bool) == isinstance(value, bool)
            for value in self.values
        )


class HookTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table ``[hooks.NAME]``.

    :ivar secret: the secret with which the sender signs, or which it sends.
    :ivar sender: the key ``from``; None for the known sender with the name of the hook, or for any
        sender.
    :ivar event: the events that count; empty for all.
    :ivar when: JSON pointer -> the values to which it may lead.  Any other delivery is ignored.
    :ivar each: JSON pointer to the list whose members are read one by one; None for the whole
        delivery.
    :ivar stream: the name of the stream; None for the name of the hook.
    :ivar pick: the parts of the delivery that are its value.
    :ivar whole: publish an object as one value, instead of one stream for each member.
    :ivar expect: the most seconds between two values of a stream; after that it is late.
    """

    secret: Secret
    sender: SenderName | None = msgspec.field(name="from", default=None)
    event: tuple[str, ...] | str = ()
    when: dict[str, Wanted] = {}
    each: Pointer | None = None
    stream: Template | None = None
    pick: Pick = Pick("")
    whole: bool = False
    expect: Duration | None = None

    @property
    def events(self) -> Sequence[str]:
        """The events that count; empty for all."""
        return (self.event,) if isinstance(self.event, str) else self.event

    def sender_of(self, name: str) -> str:
        """Return the sender of the hook with this name."""
        return self.sender or (name if name in SENDERS else "any")

    def template(self, name: str) -> Template:
        """Return the template of the streams of the hook with this name."""
        return self.stream or Template(name)

    def selection(self, name: str) -> Selection:
        """Return the streams that the hook with this name can make."""
        glob = self.template(name).glob
        return Selection([glob] if self.whole else [glob, f"{glob}.*"])

    def wants(self, document: Any) -> bool:
        """Return whether a document meets all conditions of ``when``."""
        return all(follow(pointer, document) in wanted for pointer, wanted in self.when.items())

    def problems(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield the key path and an error text for each value that cannot be used.

        :param name: the name of the hook.
        """
        sender = self.sender_of(name)
        if self.events and sender not in WITH_EVENTS:
            known = ", ".join(sorted(WITH_EVENTS))
            yield "event", f'from = "{sender}" tells no events, only {known} do; use when'
        for pointer in self.when:
            yield from _pointer_problems(f"when.{pointer}", pointer)
        for field in self.template(name).fields:
            yield from _pointer_problems("stream", field)
        try:
            self.selection(name)
        except Refused:
            yield "stream", "expected at most three parts in braces"


def _pointer_problems(key: str, pointer: str) -> Iterator[tuple[str, str]]:
    try:
        check_pointer(pointer)
    except ValueError as error:
        yield key, str(error)


def expected_of(hooks: Mapping[str, HookTable]) -> Expected:
    """Return the streams of hooks with ``expect``, each with that ``expect``."""
    told = ((table.selection(name), table.expect) for name, table in hooks.items())
    return tuple((streams, expect) for streams, expect in told if expect is not None)
