"""A configuration file from the disk: its text, its secrets, and all that is wrong with it."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactorClock

from streamd.app.load import load
from streamd.config.fields import ConfigError
from streamd.http.access.tokens import Token, Tokens

A, B, C, D, E = (letter * 16 for letter in "abcde")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot read {file}: No such file"),
        (b"#\n# caf\xe9", "cannot read {file}: line 2 is not UTF-8"),
        (b"[server", "not TOML: "),
        (
            b'[access]\npublish = [{ env = "NO_SUCH_TOKEN" }]',
            "access.publish[0]: the environment variable NO_SUCH_TOKEN is empty or not set",
        ),
    ],
)
def test_file_that_cannot_be(tmp_path: Path, text: bytes | None, problem: str) -> None:
    file = tmp_path / "streamd.toml"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(ConfigError) as error:
        load(str(file), MemoryReactorClock())
    [line] = error.value.problems
    assert line.startswith(problem.format(file=file))


def test_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load(str(tmp_path), MemoryReactorClock())


def test_secrets_come_from_environment_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "streamd.toml"
    file.write_text(
        f'[access]\npublish = ["{A}", {{ env = "TOKEN" }}, {{ file = "token" }}]\n'
        f'admin = ["{D}", {{ env = "ADMIN" }}]'
    )
    with pytest.raises(ConfigError) as error:
        load(str(file), MemoryReactorClock())
    assert [line.split(":")[0] for line in error.value.problems] == [
        "access.publish[1]",
        "access.publish[2]",
        "access.admin[1]",
    ]
    monkeypatch.setenv("ADMIN", E)
    monkeypatch.setenv("TOKEN", B)
    (tmp_path / "token").write_text(f"{C}\n")
    config, tokens, base = load(str(file), MemoryReactorClock())
    wanted = Tokens((Token(A), Token(B), Token(C)), (Token(D), Token(E)))
    assert (config.file, tokens, base) == (True, wanted, tmp_path)
    assert A not in repr(config)


def test_short_tokens_are_refused_by_their_key_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", f"  {A[:15]}  ")
    (tmp_path / "token").write_text("\u00e9" * 15)
    file = tmp_path / "streamd.toml"
    file.write_text(
        f'[access]\npublish = ["{A}", "{A[:15]}", {{ env = "TOKEN" }}]\n'
        'admin = [{ file = "token" }]'
    )
    with pytest.raises(ConfigError, match="at least 16 characters") as error:
        load(str(file), MemoryReactorClock())
    lines = error.value.problems
    places = ["access.publish[1]", "access.publish[2]", "access.admin[0]"]
    assert [line.partition(": ")[0] for line in lines] == places
    assert A[:15] not in str(error.value)


def problems(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(str(file), MemoryReactorClock())
    return [problem.partition(": ")[0] for problem in error.value.problems]


def test_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "streamd.toml"
    file.write_bytes(codecs.BOM_UTF8 + b"[server]\nmax_viewers = 5\n")
    assert load(str(file), MemoryReactorClock()).config.server.max_viewers == 5


def test_mistakes_of_the_text_secrets_sources_and_journal_are_reported_at_once(
    tmp_path: Path,
) -> None:
    file = tmp_path / "streamd.toml"
    file.write_text("""
[server]
pace = 5
[access]
admin = [{ env = "NO_SUCH_TOKEN" }]
[journal]
url = "redis://localhost"
password = { file = "none" }
[sources.web]
url = "http://localhost"
headers = { Authorization = { env = "NO_SUCH_TOKEN" } }
[sources.jobs]
url = "redis://localhost"
""")
    wanted = ["server.pace", "access.admin[0]", "journal.password"]
    assert problems(file) == [*wanted, "sources.web.headers.Authorization", "sources.jobs"]


def test_without_a_file_the_configuration_is_empty() -> None:
    config, tokens, base = load(None, MemoryReactorClock())
    assert (config.file, tokens, base) == (False, Tokens(), Path.cwd())
