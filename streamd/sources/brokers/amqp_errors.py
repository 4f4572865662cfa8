"""Errors of an AMQP broker, as texts that walls may show: without addresses and secrets."""

from __future__ import annotations

from streamd.sources.errors import SourceError, Unreachable

CLOSED = "the broker closed the connection"

FORCED, NOT_ALLOWED_HERE, UNKNOWN, LOCKED, NO_HOST, INTERNAL = 320, 403, 404, 405, 530, 541
"""Reply codes of AMQP 0-9-1, section 1.2."""


def connection_refusal(code: int, text: str, vhost: str) -> SourceError:
    """Return the error for a connection that the broker has closed with a reply code.

    :param text: the broker's text: a name such as ``ACCESS_REFUSED``, and a sentence.
    :param vhost: the requested virtual host.
    """
    detail = f"({code} {text})"
    if code == FORCED:
        return Unreachable(CLOSED, detail)
    if code == NOT_ALLOWED_HERE:
        return SourceError("the broker refuses the login", detail, "url")
    if code == NO_HOST and "not found" in text:
        return SourceError(f"the broker has no such virtual host: {vhost}", detail, "url")
    if code == NO_HOST:
        return SourceError(f"the broker refuses the virtual host: {vhost}", detail, "url")
    return Unreachable(f"the broker closed the connection: {_word(code, text)}", detail)


def channel_refusal(code: int, text: str, key: str, name: str) -> SourceError:
    """Return the error for a channel that the broker has closed with a reply code.

    :param key: the key of the source's table that names the source of messages: ``queue`` or
        ``exchange``.
    :param name: its name.
    """
    detail = f"({code} {text})"
    if not key:  # nothing was asked for yet
        return Unreachable(f"the broker closed the channel: {_word(code, text)}", detail)
    if code == UNKNOWN and key == "exchange" and "no queue" in text:
        return Unreachable("the broker has deleted the queue of streamd", detail)
    if code == UNKNOWN:
        return NotThere(f"the broker has no such {key}: {name}", detail, key)
    if code == LOCKED:
        return SourceError("the queue belongs to another connection alone", detail, key)
    if code == NOT_ALLOWED_HERE and "exclusive use" in text:
        return SourceError("another program reads the queue alone", detail, key)
    if code == NOT_ALLOWED_HERE:
        return SourceError(f"the broker does not allow this {key}: {name}", detail, key)
    kind = Unreachable if code == INTERNAL else SourceError
    return kind(f"the broker: {_word(code, text)}", detail, key)


class Shared(Unreachable):
    """Another program reads the queue, too: each would get only some of the messages."""


class NotThere(SourceError):
    """The queue or exchange does not exist: the messages in it are lost."""


def _word(code: int, text: str) -> str:
    """Return the name of a reply code, as the broker writes it before its sentence."""
    word = text.split(" - ")[0]
    return word if word.replace("_", "").isalpha() and len(word) < 40 else f"code {code}"
