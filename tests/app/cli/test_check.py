"""`streamd check`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.shell import QUERY, complaint, run


def test_check_says_what_streams_would_show(shop: Path) -> None:
    query = QUERY.replace(" FROM", f", 'x{'y' * 100}' AS note FROM")
    (shop / "streamd.toml").write_text(f"""
[sources.shop]
database = "sqlite:///shop.db"
query = "{query}"
[sources.variable]
kind = "random_walk"
[streams.shop.revenue]
critical = "< 100"
[streams.jobs]
title = "Published by programs"
""")
    done = run("check", folder=shop)
    assert (done.returncode, done.stderr) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines["shop.orders"].split() == ["3", "ok"]
    assert lines["shop.revenue"].split() == ["9.5", "critical"]
    assert lines["shop.note"].split()[0].startswith('"xyyy')
    assert "…" in lines["shop.note"]
    assert all(len(line) < 80 for line in done.stdout.splitlines())
    assert lines["variable"].split() == ["0", "ok"]
    assert lines["jobs:"] == "no source said it; it may be published"
    assert run("check", "streamd.toml", folder=Path(shop)).returncode == 0


def test_check_gives_commands_the_environment_that_the_daemon_gives(tmp_path: Path) -> None:
    names = "' '.join(sorted(n for n in os.environ if n.startswith('T_')))"
    (tmp_path / "streamd.toml").write_text(f"""
[access]
publish = [{{ env = "T_TOKEN" }}]
[sources.seen]
command = ["python3", "-c", "import os; print({names})"]
every = "1h"
""")
    done = run("check", folder=tmp_path, T_TOKEN="0123456789abcdef", T_PLAIN="x")
    assert '"T_PLAIN"' in done.stdout
    assert "T_TOKEN" not in done.stdout


def test_check_opens_no_port_and_writes_nothing(shop: Path) -> None:
    config = '[sources.shop]\ndatabase = "sqlite:///none.db"\nquery = "SELECT 1 AS a"'
    (shop / "streamd.toml").write_text(config)
    before = sorted(shop.iterdir())
    [line] = complaint("check", folder=shop)
    assert line == "sources.shop.database: database file missing or not readable"
    assert sorted(shop.iterdir()) == before


def test_check_tells_every_problem(shop: Path) -> None:
    (shop / "streamd.toml").write_text("""
[sources.good]
database = "sqlite:///shop.db"
query = "SELECT 1 AS one"
[sources.table]
database = "sqlite:///shop.db"
query = "SELECT 1 AS one FROM order_s"
[sources.syntax]
database = "sqlite:///shop.db"
query = "SELECT 1 AS one FORM orders WHERE"
[sources.column]
database = "sqlite:///shop.db"
query = "SELECT amuont FROM orders"
[sources.name]
database = "sqlite:///shop.db"
query = "SELECT count(*), 1 AS one FROM orders"
[sources.key]
database = "sqlite:///shop.db"
query = "SELECT id, amount FROM orders"
key = "ident"
[sources.new]
database = "sqlite:///shop.db"
query = "SELECT id AS number FROM orders WHERE id > :after"
after = "id"
[sources.time]
database = "sqlite:///shop.db"
query = "SELECT id FROM orders WHERE id > :after"
after = "id"
time = "made"
[sources.file]
database = "sqlite:///streamd.toml"
query = "SELECT 1 AS one"
""")
    wanted = {
        "sources.table.query": "no such table: order_s",
        "sources.syntax.query": "syntax error",
        "sources.column.query": "no such column: amuont",
        "sources.name.query": "the column has no name: write count(*) AS a_name",
        "sources.key.key": "the query gives no column ident",
        "sources.new.after": "the query gives no column id",
        "sources.time.time": "the query gives no column made",
        "sources.file.database": "file is not a database",
    }
    lines = dict(line.split(": ", 1) for line in complaint("check", folder=shop))
    assert lines.keys() == wanted.keys()
    for path, why in wanted.items():
        assert why in lines[path]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[sources.shop]\nquery = 'SELECT 1'\ndatabase = 'x'", "sources.shop.database"),
        (
            "[sources.shop]\nquery = 'S'\ndatabase = 'sqlite:///x'\nevery = '0s'",
            "sources.shop.every",
        ),
        ("[sources.shop]\nkind = 'pigeon'", "sources.shop.kind"),
        ("[sources.shop", "not TOML"),
        ("nonsense = 1", "nonsense"),
    ],
)
def test_check_of_a_bad_configuration(tmp_path: Path, text: str, path: str) -> None:
    (tmp_path / "streamd.toml").write_text(text)
    [line] = complaint("check", folder=tmp_path)
    assert line.startswith(f"{path}: ")


def test_check_without_a_file(tmp_path: Path) -> None:
    [line] = complaint("check", "missing.toml", folder=tmp_path)
    assert line.startswith("cannot read missing.toml: No such file")
