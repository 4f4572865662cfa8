"""Finds every fault of one table of the configuration, with its key path.  Pure.

msgspec stops at the first fault.  Then this module checks the table again, key by key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from streamd.core.limit import Limit
from streamd.core.type_errors import reworded

T = TypeVar("T")

LIKENESS = 0.7
"""The least similarity of a misspelt name to a suggestion: ``wran`` and ``warn`` have 0.75."""

_CHOICE = re.compile(r"expected a text that matches \^\(([\w|-]+)\)(?:\$|\\+Z)")


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
        yield from list(_inner_faults(path, value, type)) or [_in_words(path, str(error), type)]


def _inner_faults(path: str, value: Any, type: Any) -> Iterator[str]:
    """Yield the faults of the members of a table or an array."""
    if isinstance(value, list) and (array := _part(type, lambda t: get_origin(t) is tuple)):
        for number, member in enumerate(value):
            yield from faults(f"{path}[{number}]", member, get_args(array)[0])
    elif isinstance(value, dict) and (table := _part(type, lambda t: get_origin(t) is dict)):
        for key, member in value.items():
            yield from faults(f"{path}.{key}", member, get_args(table)[1])
    elif isinstance(value, dict) and (structures := list(_structures(type))):
        yield from _faults_of_table(path, value, structures)


def _faults_of_table(path: str, table: dict[str, Any], structures: list[Any]) -> Iterator[str]:
    """Yield the faults of a table for which there are one or several structures.

    One key of the table, the tag, chooses one of several structures.
    """
    key = structures[0].__struct_config__.tag_field
    tagged = {structure.__struct_config__.tag: structure for structure in structures}
    tag = table.get(key)
    if len(structures) == 1:
        yield from _faults_of_keys(path, table, structures[0], {})
    elif isinstance(tag, str) and tag in tagged:
        yield from _faults_of_keys(path, table, tagged[tag], tagged)
    else:
        yield f"{path}.{key}: expected one of {', '.join(tagged)}"


def _faults_of_keys(
    path: str, table: dict[str, Any], structure: Any, tagged: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the faults of the keys of a table.

    :param tagged: all structures that the table could have had, by their tags.
    """
    fields = _fields(structure)
    for key, value in table.items():
        if key in fields:
            yield from faults(f"{path}.{key}", value, fields[key].type)
        elif key != structure.__struct_config__.tag_field:
            yield f"{path}.{key}: {_unknown(key, structure, tagged)}"
    for key, field in fields.items():
        if field.required and key not in table:
            yield f"{path}.{key}: is missing"


def _unknown(key: str, structure: Any, tagged: Mapping[str, Any]) -> str:
    """Return the message for an unknown key, which may be one of a structure with another tag."""
    others = [tag for tag, other in tagged.items() if key in _fields(other)]
    if not others:
        return f"unknown key; {suggestion(key, _fields(structure))}"
    config = structure.__struct_config__
    kinds = " or ".join(f'"{tag}"' for tag in others)
    return f"{config.tag} has no option {key}; it needs {config.tag_field} = {kinds}"


def _fields(structure: Any) -> dict[str, Any]:
    return {field.encode_name: field for field in msgspec.structs.fields(structure)}


def _structures(type: Any) -> Iterator[Any]:
    """Yield the structures in ``type``: one, or those of a union."""
    if isinstance(type, _STRUCTURE):
        yield type
    for inner in () if get_origin(type) in (tuple, dict) else get_args(type):
        yield from _structures(inner)


_STRUCTURE = type(msgspec.Struct)
"""The class of all structures, which msgspec calls StructMeta from 0.20 on."""


def _part(type: Any, wanted: Callable[[Any], bool]) -> Any:
    """Return the first type in ``type`` (``X`` in ``X | None``) that ``wanted`` accepts, or None."""
    if wanted(type):
        return type
    return next(filter(None, (_part(inner, wanted) for inner in get_args(type))), None)


def _is_literal(type: Any) -> bool:
    return get_origin(type) is Literal


def _is_described(type: Any) -> bool:
    return isinstance(type, msgspec.Meta) and type.description is not None


def suggestion(written: str, known: Iterable[str]) -> str:
    """Return the end of an error text: the known name that is most similar, or all names."""
    names = sorted(known)
    near = closest(written, names)
    return f"did you mean {near}?" if near else f"there are {', '.join(names) or 'no keys here'}"


def closest(written: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to a misspelt one, or None."""
    return next(iter(get_close_matches(written, known, 1, LIKENESS)), None)


def _in_words(path: str, message: str, type: Any) -> str:
    """Rewrite a message of msgspec in streamd's form: "sources.shop.every: expected …"."""
    place, text = reworded(message, "a table")
    if choice := _CHOICE.fullmatch(text):
        text = f"expected one of {choice[1].replace('|', ', ')}"
    elif literal := text.startswith("invalid enum") and _part(type, _is_literal):
        text = f"expected one of {', '.join(map(str, get_args(literal)))}"
    elif described := " that matches " in text and _part(type, _is_described):
        text = f"expected {described.description}"
    elif text.startswith("expected an array, not a t"):
        tables = re.sub(r"\[[0-9]+\]", "", path)
        cure = '["…"]' if text.endswith("text") else f"[[{tables}]]"
        text = f"{text}; write {cure}"
    return f"{path}.{place}: {text}" if place else f"{path}: {text}"
