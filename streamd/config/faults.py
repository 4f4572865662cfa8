"""Finds every fault of one table of the configuration, with its key path.  Pure.

msgspec stops at the first fault.  Then this module checks the table again, key by key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from streamd.core.limit import Limit

T = TypeVar("T")

LIKENESS = 0.7
"""The least similarity of a misspelt name to a suggestion: ``wran`` and ``warn`` have 0.75."""

_AT = re.compile(r"(?s)(.*?)(?: - at `\$\.?(.*)`)?")
_CHOICE = re.compile(r"Expected `str` matching regex '\^\(([\w|-]+)\)(?:\$|\\+Z)'")


def convert(value: Any, type: type[T]) -> T:
    """Convert a table of the configuration to a structure.

    :raises msgspec.ValidationError: for the first fault; :func:`faults` finds all faults.
    """
    return msgspec.convert(value, type, dec_hook=_read_own_type)


def _read_own_type(type: Any, written: Any) -> Any:
    if type is Limit:
        if not isinstance(written, str):
            raise ValueError('expected a comparison such as "> 80"')
        return Limit(written)
    return type.parse(written)


def faults(path: str, value: Any, type: Any) -> Iterator[str]:
    """Yield a line ``PATH: MESSAGE`` for each fault of a value.

    :param path: the key path of the value.
    :param type: the type of the value, as a field of a structure declares it.
    """
    try:
        convert(value, type)
    except msgspec.ValidationError as error:
        yield from list(_inner_faults(path, value, type)) or [_in_words(path, str(error))]


def _inner_faults(path: str, value: Any, type: Any) -> Iterator[str]:
    """Yield the faults of the members of a table or an array."""
    if isinstance(value, list) and (array := _part(type, lambda t: get_origin(t) is tuple)):
        for number, member in enumerate(value):
            yield from faults(f"{path}[{number}]", member, get_args(array)[0])
    elif isinstance(value, dict) and (table := _part(type, lambda t: get_origin(t) is dict)):
        for key, member in value.items():
            yield from faults(f"{path}.{key}", member, get_args(table)[1])
    elif isinstance(value, dict) and (structure := _part(type, _is_structure)):
        yield from _faults_of_keys(path, value, structure)


def _faults_of_keys(path: str, table: dict[str, Any], structure: Any) -> Iterator[str]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(structure)}
    for key, value in table.items():
        if key in fields:
            yield from faults(f"{path}.{key}", value, fields[key].type)
        else:
            yield f"{path}.{key}: unknown key; {suggestion(key, fields)}"
    for key, field in fields.items():
        if field.required and key not in table:
            yield f"{path}.{key}: is missing"


_STRUCTURE = type(msgspec.Struct)
"""The class of all structures, which msgspec calls StructMeta from 0.20 on."""


def _part(type: Any, wanted: Callable[[Any], bool]) -> Any:
    """Return the first type in ``type`` (``X`` in ``X | None``) that ``wanted`` accepts, or None."""
    if wanted(type):
        return type
    return next(filter(None, (_part(inner, wanted) for inner in get_args(type))), None)


def _is_structure(type: Any) -> bool:
    return isinstance(type, _STRUCTURE)


def suggestion(written: str, known: Iterable[str]) -> str:
    """Return the end of an error text: the name that is probably meant, or all names."""
    names = sorted(known)
    near = closest(written, names)
    return f"did you mean {near}?" if near else f"there are {', '.join(names) or 'no keys here'}"


def closest(written: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to a misspelt one, or None."""
    return next(iter(get_close_matches(written, known, 1, LIKENESS)), None)


def _in_words(path: str, message: str) -> str:
    """Rewrite a message of msgspec in streamd's form: "sources.shop.every: expected …"."""
    match = _AT.fullmatch(message)
    assert match is not None  # the pattern matches any text
    text, key = match[1], match[2]
    if choice := _CHOICE.fullmatch(text):
        text = f"expected one of {choice[1].replace('|', ', ')}"
    path = f"{path}.{key}" if key else path
    return f"{path}: {text[:1].lower()}{text[1:].replace('`', '')}"
