"""docs/errors.rst has every code that streamd answers with, with its statuses, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.daemon import CHECKOUT

PAGE = CHECKOUT / "docs" / "errors.rst"

Found = set[tuple[str, int]]
"""Codes with their statuses."""

FOUND_ELSEWHERE: dict[tuple[str, str], Found] = {
    ("http/rates.py", "f'too-many-{what}'"): {
        ("too-many-requests", 429),
        ("too-many-handshakes", 429),
        ("too-many-publishes", 429),
    },
    ("http/publishing/hooks.py", "code"): {("no-token", 401), ("bad-token", 401)},
    ("http/access/principal.py", "SIGNED_OUT['code']"): {("signed-out", 401)},
    ("core/rights.py", "'unknown-wall'"): {("unknown-wall", 404), ("unknown-wall", 400)},
    # Codes that another refusal has already.
    ("http/publishing/live_publish.py", "code"): set(),
    ("http/publishing/live_publish.py", "why.code"): set(),
    ("http/publishing/delivery.py", "refused.code"): set(),
    ("http/failures.py", "error.code"): set(),
    ("http/publishing/publish.py", "refused.code"): set(),
    ("http/viewers/socketio.py", "refused.code"): set(),
    # Codes that the calls below name.
    ("http/admin/command_body.py", "code"): set(),
    ("http/viewers/socketio.py", "word"): set(),
}
"""Module and expression -> the codes of an error whose code is not written where it is made."""

OF_AUTOBAHN = {1002, 1007, 1009}
"""The close codes (RFC 6455, section 7.4.1) with which Autobahn ends a connection by itself."""


def name_of(call: ast.Call) -> str:
    """Return the last part of the name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)


def refusals(tree: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the status and the code of each error that a module makes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and "Refused" in map(ast.unparse, node.bases):
            calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
            made = [each for each in calls if ast.unparse(each.func) == "super().__init__"]
            yield from ((call.args[0], call.args[1]) for call in made)
        elif isinstance(node, ast.Call) and name_of(node) in ("Refused", "error_response"):
            yield node.args[0], node.args[1]
        elif isinstance(node, ast.Call) and name_of(node) in ("parse_command", "parse_lasting"):
            yield ast.Constant(400), node.args[2]


def codes_in(module: str, text: str) -> Found:
    """Return the codes of the errors that a module makes.

    :param module: the path of the module below streamd/.
    """
    found: Found = set()
    tree = ast.parse(text)
    for status, code in refusals(tree):
        if isinstance(code, ast.Constant) and isinstance(status, ast.Constant):
            assert isinstance(code.value, str)
            assert isinstance(status.value, int)
            found.add((code.value, status.value))
        else:
            place = module, ast.unparse(code)
            assert place in FOUND_ELSEWHERE, f"say in FOUND_ELSEWHERE which codes {place} makes"
            found |= FOUND_ELSEWHERE[place]
    if module == "http/viewers/socketio.py":  # the words of Engine.IO, in the form of a code
        found |= engine_io(tree)
    return found


def engine_io(tree: ast.Module) -> Found:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    texts = [call.args[1] for call in calls if name_of(call) == "_refused"]
    texts += [call.args[2] for call in calls if ast.unparse(call).startswith("partial(_refused,")]
    words = [text.value for text in texts if isinstance(text, ast.Constant)]
    assert len(words) == len(texts) > 3
    return {(str(word).lower().replace(" ", "-"), 400) for word in words}


def listed() -> Iterator[tuple[str, int]]:
    rows = re.findall(r"^   \* - ``([\w-]+)``\n     - ([\d, ]+)$", PAGE.read_text(), re.M)
    return ((code, int(status)) for code, statuses in rows for status in statuses.split(","))


def test_every_code_is_listed_and_every_listed_code_is_used() -> None:
    root = CHECKOUT / "streamd"
    modules = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*.py")}
    used = set[tuple[str, int]]().union(*(codes_in(*item) for item in modules.items()))
    rows = list(listed())
    assert sorted(used - set(rows)) == [], "add them to docs/errors.rst"
    assert sorted(set(rows) - used) == [], "remove them from docs/errors.rst"
    assert len(set(rows)) == len(rows)


def test_no_rule_for_a_code_is_left_over() -> None:
    for module, expression in FOUND_ELSEWHERE:
        tree = ast.parse((CHECKOUT / "streamd" / module).read_text())
        assert expression in {ast.unparse(code) for _, code in refusals(tree)}, module


def close_codes(path: Path) -> set[int]:
    """Return the constants of a module that are close codes."""
    nodes = ast.parse(path.read_text()).body
    values = [node.value for node in nodes if isinstance(node, ast.Assign)]
    numbers = [value.value for value in values if isinstance(value, ast.Constant)]
    return {number for number in numbers if isinstance(number, int) and 1000 <= number < 5000}


def test_every_close_code_is_listed() -> None:
    used = {
        code
        for name in ("websocket", "socketio_viewer")
        for code in close_codes(CHECKOUT / "streamd/http/viewers" / f"{name}.py")
    }
    rows = re.findall(r"^   \* - (\d{4})$", PAGE.read_text(), re.M)
    assert {int(row) for row in rows} == used | OF_AUTOBAHN
    assert rows == sorted(rows)


def test_subclasses_of_another_error_are_found() -> None:
    text = "class A(Refused):\n def __init__(self):\n  super().__init__(409, 'x', 'why')\n"
    assert codes_in("a.py", text) == {("x", 409)}
    assert codes_in("a.py", "raise errors.Refused(400, 'y', f'{why}')") == {("y", 400)}
