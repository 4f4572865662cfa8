"""The entries of ``[access]``, and what is wrong with bad ones."""

from __future__ import annotations

import pytest

from streamd.config.access import TokenEntry
from streamd.config.fields import ConfigError, Secret
from streamd.config.parse import parse
from streamd.core.selection import Selection


def problem(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse(text, ())
    [line] = error.value.problems
    return line


def test_entries() -> None:
    config = parse(
        '[access]\nview = ["text", { env = "V" }]\nadmin = []\n'
        'publish = [{ token = { file = "ci" }, name = "ci", streams = ["build.*"] }]',
        (),
    )
    access = config.access
    assert access.view == (TokenEntry(Secret("text")), TokenEntry(Secret(env="V")))
    assert access.publish == (TokenEntry(Secret(file="ci"), "ci", Selection(["build.*"])),)
    assert (access.admin, access.identity) == ((), None)
    assert "text" not in repr(access)


def test_view_that_is_absent_differs_from_an_empty_one() -> None:
    assert parse("[access]", ()).access.view is None
    assert parse("[access]\nview = []", ()).access.view == ()


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("1", "or a table with token, name and streams"),
        ("{}", "or a table with token, name and streams"),
        ('{ token = "a", stream = ["b"] }', "unknown key stream"),
        ("{ token = 1 }", "or a table with token, name and streams"),
        ('{ token = "a", name = 1 }', "name: expected a text"),
        ('{ token = "a", name = "a\\nb" }', "name: expected a text"),
        ('{ token = "a", streams = "b" }', "streams: expected names and globs"),
        ('{ token = "a", streams = ["b c"] }', "streams: "),
    ],
)
@pytest.mark.parametrize("key", ["view", "publish", "admin"])
def test_bad_entries_are_named_by_their_key_path(key: str, entry: str, says: str) -> None:
    line = problem(f'[access]\n{key} = ["good", {entry}]')
    assert line.startswith(f"access.{key}[1]: ")
    assert says in line


def test_identity() -> None:
    proxies = '[server]\ntrusted_proxies = ["127.0.0.1"]\n[access.identity]\n'
    identity = parse(f'{proxies}header = "X-Forwarded-User"\nadmins = ["ann"]', ()).access.identity
    assert identity is not None
    assert (identity.header, identity.admins) == ("x-forwarded-user", ("ann",))
    assert problem(f'{proxies}header = "X User"').startswith("access.identity.header: expected")
    alone = problem('[access.identity]\nheader = "X-User"')
    assert alone.startswith("access.identity: ")
    assert "trusted_proxies" in alone
