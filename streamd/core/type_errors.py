"""Rewords msgspec's errors about a wrong value, which use words of Python (``str``).  Pure."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, get_args

_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "null": "null",
    "datetime": "a date with a time",
    "date": "a date",
    "time": "a time of day",
}
_MESSAGE = re.compile(r"(?s)(.*?)(?: - at (`key` in )?`\$\.?(.*)`)?")
_TYPE = re.compile(r"(?s)Expected `([a-z| ]+)`(.*?)(?:, got `?(\w+)`?)?")
_BOUND = re.compile(r" (of length )?(>=|<=)? ?([0-9.e+-]+)")
_FORM = re.compile(r"(?s) matching regex '(.*)'")
_MEMBER = re.compile(r"Object (missing required|contains unknown) field `(.*)`")
_BOUNDS = {">=": "at least ", "<=": "at most ", None: ""}


class Fault(NamedTuple):
    """A fault of a value.

    :ivar place: the path of the member that has it, such as ``walls[1].name``; empty: the value itself.
    :ivar text: the fault, without the place.
    """

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


def reworded(error: Exception | str, table: str = "an object") -> Fault:
    """Return an error of msgspec in the words of people who write JSON or TOML.

    :param table: the phrase for an object in that language, such as "a table".
    """
    match = _MESSAGE.fullmatch(str(error))
    assert match is not None  # the pattern matches any text
    text, key, place = match.groups()
    told = _reworded(text, table)
    if (place or "").endswith("[...]"):  # msgspec does not tell which member of a mapping it is
        place, told = place[:-5], f"of a member: {told}"
    return Fault(place or "", f"of a key: {told}" if key else told)


def message_fault(error: Exception, type: Any) -> str:
    """Return why a message is not understood; for an unknown tag, with the tags that are known.

    :param type: the structures that the message may be, a union of them.
    """
    fault = reworded(error)
    kinds = [getattr(kind, "__struct_config__", None) for kind in get_args(type) or (type,)]
    configs = [config for config in kinds if config is not None]
    field = configs[0].tag_field if configs else None
    if field and (fault.place == field or str(fault) == f"{field} is missing"):
        fault = Fault(field, f"expected one of {', '.join(str(config.tag) for config in configs)}")
    return f"not understood: {fault}"


def _reworded(text: str, table: str) -> str:
    if wrong := _TYPE.fullmatch(text):
        kinds, rest, got = wrong.groups()
        names = [name for name in kinds.split(" | ") if name != "null"] or ["null"]
        wanted = " or ".join(_kind(name, table) for name in names)
        return f"expected {wanted}{_rest(rest, names)}{_instead(got, table)}"
    if member := _MEMBER.fullmatch(text):
        return f"{member[2]} is missing" if member[1][0] == "m" else f"unknown member {member[2]}"
    text = text.replace("`", "")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _kind(name: str, table: str) -> str:
    return table if name == "object" else _KINDS.get(name, name)


def _instead(got: str | None, table: str) -> str:
    return f", not {_kind(got, table)}" if got else ""


def _rest(rest: str, names: list[str]) -> str:
    """Return the bound of a length or of a number, or the form of a text."""
    if form := _FORM.fullmatch(rest):
        return f" that matches {form[1]}"
    bound = _BOUND.fullmatch(rest)
    if bound is None:
        return rest
    length, relation, number = bound.groups()
    if not length:
        return f" of {_BOUNDS[relation]}{number}"
    if (relation, number) == (">=", "1"):
        return " that is not empty"
    many = ("character", "characters") if names == ["str"] else ("entry", "entries")
    return f" of {_BOUNDS[relation]}{number} {many[number != '1']}"
