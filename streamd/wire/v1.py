"""The wire format ``streamd.v1``: values with positions, health and proofs.

Every message is one JSON object with a ``type``.  ``<-`` goes to a viewer, ``->`` comes from one::

    <- {"type": "hello", "server", "now", "at", "resumed", "tick", "streams": {…}, "health": {…}}
    <- {"type": "updates", "at", "updates": [{"stream", "seq", "at", "time", "value"}, …], "more"?}
    <- {"type": "past", "stream", "from", "to", "width", "points", "words", "levels", "silences"}
    <- {"type": "streams", "streams": {NAME: {description} | null}}
    <- {"type": "health", "health": {NAME: {"state", "level", "since", "proof", "error"}}}
    <- {"type": "journal", "state": "ok|away", "since", "error"}
    <- {"type": "configuration", "walls", "trouble": {"file", "line", "key", "message"} | null}
    <- {"type": "tick", "now", "proof": {NAME: seconds}}
    <- {"type": "build", "build"}
    <- {"type": "command", "command", …}
    <- {"type": "receipt", "key"?, "at", "seq": […]}
    <- {"type": "receipt", "key"?, "error": {"code", "message", "index"?}}
    <- {"type": "error", "code", "message"}
    <- {"type": "bye", "reason", "after": [low, high]}
    -> {"type": "subscribe", "streams": […], "after": "…", "history": 100}
    -> {"type": "publish", "updates": [{"stream", "value", "time"?}, …], "key"?}
    -> {"type": "screen", "name": "kitchen-tv", "wall": "kitchen", "at": "…", "delay": 0.2}

:mod:`streamd.wire.requests` parses the messages from a viewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from streamd import __version__
from streamd.core.cursor import Answer
from streamd.core.update import Update
from streamd.wire.encoding import (
    TICK,
    Format,
    Formatted,
    Payload,
    Welcome,
    encode_json,
    fitting,
    member,
)


def _write_v1(answer: Answer, texts: Iterable[bytes]) -> Formatted:
    """Make a message for each kind of change, and last ``updates``; leave out empty ones."""
    payloads: list[Payload] = []
    if answer.gone:
        payloads += _notes("streams", dict.fromkeys(answer.gone))
    if answer.streams:
        payloads += _notes("streams", answer.streams)
    if answer.health:
        payloads += _notes("health", answer.health)
    if answer.journal is not None:
        payloads.append(v1_message("journal", answer.journal))
    if answer.configuration is not None:
        payloads.append(v1_message("configuration", answer.configuration))
    if not answer.updates:
        return payloads, answer.at, answer.more
    some = fitting(texts)
    cut = len(some) < len(answer.updates)
    more = cut or answer.more
    last = answer.updates[len(some) - 1].at
    text = b'{"type":"updates","at":"%b","updates":[%b]%b}' % (
        bytes(last if more else max(last, answer.floor)),
        b",".join(some),
        b',"more":true' if more else b"",
    )
    payloads.append(Payload("updates", text))
    return payloads, last if cut else answer.at, more


def v1_update(update: Update) -> bytes:
    """Return ``{"stream", "seq", "at", "time", "value"}`` as JSON; names need no escapes."""
    return b'{"stream":"%b","seq":%d,"at":"%b","time":%b,"value":%b}' % (
        update.stream.encode(),
        update.seq,
        bytes(update.at),
        repr(update.time).encode(),
        update.value or b"null",
    )


V1_FORMAT = Format("v1", v1_update, _write_v1)


def v1_message(type: str, fields: Any) -> Payload:
    """Return a message of this type with these fields."""
    return Payload(type, b'{"type":"%b",%b' % (type.encode(), encode_json(fields)[1:]))


def v1_ticks(now: float, proofs: Mapping[str, float]) -> Iterator[bytes]:
    """Yield a tick, or several of the same time if there are many proofs."""
    texts = [member(name, repr(at).encode()) for name, at in proofs.items()]
    while True:
        some = fitting(texts)
        yield b'{"type":"tick","now":%b,"proof":{%b}}' % (repr(now).encode(), b",".join(some))
        del texts[: len(some)]
        if not texts:
            return


def v1_hello(welcome: Welcome) -> Iterator[bytes]:
    """Yield a hello in parts.

    Each is made when it is sent, so thousands of descriptions never wait in memory for a slow
    viewer.
    """
    fields = {
        "server": f"streamd/{__version__}",
        "now": welcome.now,
        "at": str(welcome.at),
        "resumed": welcome.resumed,
        "tick": TICK,
        "more": welcome.more,
    }
    yield v1_message("hello", fields).text[:-1] + b","
    yield from welcome.overview()


def _notes(type: str, members: Mapping[str, Any]) -> Iterator[Payload]:
    """Yield the messages for these members, each at most :data:`MAX_MESSAGE` bytes long."""
    texts = [member(name, encode_json(value)) for name, value in members.items()]
    while texts:
        some = fitting(texts)
        text = b'{"type":"%b","%b":{%b}}' % (type.encode(), type.encode(), b",".join(some))
        yield Payload(type, text)
        del texts[: len(some)]
