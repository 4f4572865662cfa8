"""One delivery of a webhook: its body as a document, and the document as updates.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec

from streamd.config.hooks import HookTable
from streamd.core.errors import Refused
from streamd.core.names import end_of_name
from streamd.core.pointer import follow
from streamd.core.update import Draft, check_name
from streamd.core.values import from_python
from streamd.http.publishing.senders import SENDERS, HookSender
from streamd.http.request import Request

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

PAYLOADS = ("payload", "data")
"""The fields of forms with the JSON of a delivery: those of GitHub and of Uptime Kuma."""

MAX_FIELDS = 100

MAX_DRAFTS = 10_000
"""The most updates of one delivery: as many as a daemon has streams by default."""

_JSON_TYPE = re.compile(r"(application/(?:[a-z0-9.+-]+\+)?json|text/plain|)", re.IGNORECASE)


def read_document(request: Request, body: bytes) -> Any:
    """Return the document in the body of a delivery: JSON, or a form with a field that has JSON.

    :raises Refused: 400 if it is not such a document, 415 for other types and for compressed bodies.
    """
    written = request.headers.get("content-type", "")
    kind = written.partition(";")[0].strip().lower()
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "bad-encoding", "a body has to be sent as it is, uncompressed")
    if kind == MULTIPART:
        body = _payload(_fields_of_parts(written, body))
    elif kind == FORM and body.lstrip()[:1] not in (b"{", b"["):  # curl sends JSON as a form
        body = _payload(_fields_of_form(body))
    elif kind != FORM and not _JSON_TYPE.fullmatch(kind):
        raise Refused(415, "bad-type", "expected application/json, or a form with JSON in it")
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise Refused(400, "bad-json", "the body is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Refused(400, "bad-json", f"the body is not JSON: {error}") from None


def _fields_of_form(body: bytes) -> Mapping[str, bytes]:
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {key: values[0].encode() for key, values in fields.items()}


def _fields_of_parts(content_type: str, body: bytes) -> Mapping[str, bytes]:
    """Return the fields of a form in parts (RFC 7578)."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    fields: dict[str, bytes] = {}
    for part in message_from_bytes(head + body).walk():
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(data, bytes):
            fields[name] = data
    return fields


def _payload(fields: Mapping[str, bytes]) -> bytes:
    for key in PAYLOADS:
        if key in fields:
            return fields[key]
    raise Refused(400, "bad-form", f"expected a form with JSON in {' or '.join(PAYLOADS)}")


class Hook(NamedTuple):
    """One hook of the configuration.

    :ivar secret: in plain text.
    """

    name: str
    table: HookTable
    secret: str

    @property
    def sender(self) -> HookSender:
        """Return the sender, which knows how deliveries are signed."""
        return SENDERS[self.table.sender_of(self.name)]

    def ignores(self, headers: Mapping[str, str], document: Any) -> str:
        """Return in a word why a delivery has no update for this hook; empty if it may have one."""
        if self.sender.is_test(headers, document):
            return "test"
        events = self.table.events
        return "event" if events and self.sender.event(headers, document) not in events else ""

    def drafts(self, document: Any) -> tuple[list[Draft], list[Refused]]:
        """Return the drafts that a delivery makes, and an error for each invalid value.

        :raises Refused: 400 if the delivery lacks the list of ``each``.
        """
        made: dict[str, bytes | Refused] = {}
        errors = []
        for part in self._parts(document):
            try:
                values = dict(self._values(part))
            except Refused as refused:
                errors.append(refused)
                continue
            for name, value in values.items():
                known = made.setdefault(name, value)
                if known != value:
                    made[name] = Refused(
                        400, "two-values", f"the delivery has two values of {name}"
                    )
        found = {name: _encoded(name, value) for name, value in made.items()}
        errors += [value for value in found.values() if isinstance(value, Refused)]
        if len(found) > MAX_DRAFTS:
            raise Refused(413, "too-large", f"a delivery may have {MAX_DRAFTS} values")
        return [Draft(name, v) for name, v in found.items() if isinstance(v, bytes)], errors

    def _parts(self, document: Any) -> Iterator[Any]:
        """Yield the parts of a delivery that meet the conditions."""
        parts = [document]
        if self.table.each is not None:
            parts = follow(self.table.each, document)
            if not isinstance(parts, list):
                raise Refused(400, "bad-value", f"the delivery has no list at {self.table.each}")
        return filter(self.table.wants, parts)

    def _values(self, part: Any) -> Iterator[tuple[str, Any]]:
        """Yield the streams that one part makes, with their values.

        :raises Refused: 400 if a stream cannot have its name.
        """
        name = self.table.template(self.name).name(lambda pointer: follow(pointer, part))
        value = self.table.pick.out_of(part)
        if not isinstance(value, dict) or self.table.whole:
            yield name, value
            return
        for member, inner in value.items():
            yield check_name(f"{name}.{end_of_name(member)}"), inner


def _encoded(name: str, value: Any) -> bytes | Refused:
    if isinstance(value, Refused):
        return value
    try:
        return from_python(value)
    except Refused as refused:
        return Refused(refused.status, refused.code, f"{name}: {refused.message}")
