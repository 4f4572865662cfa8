"""Takes points in InfluxDB's line protocol: ``POST /write`` and ``POST /api/v2/write``.

The answers are the same as InfluxDB's, because its clients read them: 204 if all points were taken,
400 with the first mistakes if some were refused.  Clients drop refused points, and send all points
again after a 503.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from twisted.internet.defer import Deferred

from streamd.core.errors import Refused
from streamd.core.names import end_of_name
from streamd.core.template import Template
from streamd.core.update import Draft, check_name, check_time
from streamd.core.values import from_json
from streamd.http.access.access import Access
from streamd.http.access.credentials import WRITES, written_token_of
from streamd.http.access.origins import Right
from streamd.http.access.principal import Principal
from streamd.http.publishing.publish import Publisher
from streamd.http.request import NeedsBody, Request, Response, Routes, json_response
from streamd.http.uploads import MAX_BODY
from streamd.wire.influx import PRECISIONS, Point, parse_point, split_lines

MAX_PLAIN = 8 * MAX_BODY
"""The most bytes of an unpacked body: Telegraf's batches of 1000 points take a tenth of that."""

MAX_VALUES = 50_000
"""The most lines of a body, and the most values: Telegraf's batches of 1000 points have fewer.  Each
takes 13 µs, so a body stops the reactor for 0.7 s at most."""

_GAP = re.compile(r"\.{2,}")

_SAID = 5
"""The most mistakes in an answer."""


class Influx:
    """Answers the requests that write points."""

    def __init__(self, access: Access, publisher: Publisher, template: Template) -> None:
        """:param template: the name of a field's stream; see ``[influx]``."""
        self._access = access
        self._publisher = publisher
        self.template = template

    @property
    def routes(self) -> Routes:
        return {path: {"POST": self.post_points} for path in WRITES}

    def post_points(self, request: Request) -> NeedsBody:
        """``POST /write?precision=s``: publish the fields of each line.

        :raises Refused: 400, 401, 403, 413, 415, 429 or 503.
        """
        publisher = self._access.check_change(request, Right.PUBLISH, written_token_of(request))
        self._publisher.check_rate(publisher)
        unit = _unit(request.query)

        def write(body: bytes) -> Response | Deferred[Response]:
            text = _unpacked(body, request.headers.get("content-encoding", "identity"))
            drafts, mistakes = self._drafts(text, unit, publisher)
            answer = _answer(mistakes)
            return self._publisher.append(drafts, None).addCallback(lambda _: answer)

        return NeedsBody(write)

    def _drafts(
        self, text: str, unit: float, publisher: Principal
    ) -> tuple[list[Draft], list[str]]:
        """Return the updates of all lines, and the mistakes of the lines and fields that have none.

        :raises Refused: 413 if there are too many.
        """
        drafts: list[Draft] = []
        mistakes: list[str] = []
        if text.count("\n") > MAX_VALUES:
            raise _too_many()
        for number, line in split_lines(text):
            if len(drafts) + len(mistakes) > MAX_VALUES:
                raise _too_many()
            try:
                point = parse_point(line, unit)
                check_time(point.time)
            except Refused as refused:
                mistakes.append(f"line {number}: {refused.message}")
                continue
            for field, value in point.fields.items():
                try:
                    name = _name(self.template, point, field)
                    publisher.rights.check_publish(name)
                    drafts.append(Draft(name, from_json(value), point.time))
                except Refused as refused:
                    mistakes.append(f"line {number}, {field}: {refused.message}")
        return drafts, mistakes


def _too_many() -> Refused:
    return Refused(413, "too-large", f"a body may have {MAX_VALUES} lines and values")


def _name(template: Template, point: Point, field: str) -> str:
    """Return the name of a field's stream; a tag that the point lacks leaves no gap in it.

    :raises Refused: 400 if the name is too long.
    """
    tags = ".".join([end_of_name(point.tags[key]) for key in sorted(point.tags)])
    known = {key: end_of_name(value) for key, value in point.tags.items()}
    known |= {"measurement": end_of_name(point.measurement), "field": end_of_name(field)}
    found = template.fill(lambda part: tags if part == "tags" else known.get(part, ""))
    return check_name(_GAP.sub(".", found).strip("."))


def _unit(query: Mapping[str, str]) -> float:
    precision = query.get("precision") or "ns"
    unit = PRECISIONS.get(precision)
    if unit is None:
        raise Refused(400, "bad-precision", f"precision: expected one of {', '.join(PRECISIONS)}")
    return unit


def _unpacked(body: bytes, encoding: str) -> str:
    """Return the text of a body that may be compressed.

    :raises Refused: 400 or 415 if it is not such a text, 413 if it is too long.
    """
    if encoding.lower() == "gzip":
        unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            body = unpacking.decompress(body, MAX_PLAIN + 1)
        except zlib.error:
            raise Refused(400, "bad-encoding", "the body is not gzip") from None
        if len(body) > MAX_PLAIN:
            raise Refused(413, "too-large", f"a body may have {MAX_PLAIN // 2**20} MiB unpacked")
        if not unpacking.eof:
            raise Refused(400, "bad-encoding", "the body ends in the middle of its gzip")
        if unpacking.unused_data:
            raise Refused(400, "bad-encoding", "there is more behind the end of the gzip")
    elif encoding.lower() != "identity":
        raise Refused(415, "bad-encoding", "a body may be compressed with gzip alone")
    try:
        return body.decode()
    except UnicodeError:
        raise Refused(400, "bad-line", "the body is not UTF-8") from None


def _answer(mistakes: list[str]) -> Response:
    """Return the answer to a request whose other points were published."""
    if not mistakes:
        return Response(204)
    more = f"; and {len(mistakes) - _SAID} more" if len(mistakes) > _SAID else ""
    text = f"partial write: {'; '.join(mistakes[:_SAID])}{more}"
    # The first version reads "error", the second one "code" and "message".
    return json_response({"code": "invalid", "message": text, "error": text}, 400)
