"""The bodies of commands."""

from __future__ import annotations

import msgspec
import pytest

from streamd.core.errors import Refused
from streamd.http.admin.command_body import parse_command, parse_lasting

NUMBERS = msgspec.json.Decoder(dict[str, int])


def test_command_is_read() -> None:
    assert parse_command(NUMBERS, b'{"a": 1}', "bad-command") == {"a": 1}
    assert parse_lasting("2h", 86400, "bad-command") == 7200


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": "b"}', "not understood: of a member: expected a whole number, not a text"),
        (b'"\xff', "not understood: "),
        (b"", "not understood: "),
    ],
)
def test_what_is_no_command(body: bytes, text: str) -> None:
    decoder = msgspec.json.Decoder() if body[:1] == b"[" else NUMBERS
    with pytest.raises(Refused) as refused:
        parse_command(decoder, body, "bad-thing")
    assert (refused.value.status, refused.value.code) == (400, "bad-thing")
    assert str(refused.value).startswith(text)


class Open(msgspec.Struct, tag="open", tag_field="command"):
    pass


class Close(msgspec.Struct, tag="close", tag_field="command"):
    pass


@pytest.mark.parametrize("body", [b'{"command": "dance"}', b"{}"])
def test_a_wrong_command_is_told_with_the_commands_that_there_are(body: bytes) -> None:
    with pytest.raises(Refused, match=r"^not understood: command: expected one of open, close$"):
        parse_command(msgspec.json.Decoder(Open | Close), body, "bad-thing")


@pytest.mark.parametrize("written", ["", "noon", "0s", "3d"])
def test_invalid_duration(written: str) -> None:
    with pytest.raises(Refused, match="for: "):
        parse_lasting(written, 2 * 86400, "bad-thing")
