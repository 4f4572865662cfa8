"""`streamd check`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from time import localtime, strftime, time
from typing import Any

import pytest

from streamd.app.cli.main import main
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
[hooks.till]
secret = "0123456789abcdef"
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
    assert lines["hooks.till:"] == "waits for POST /hooks/till"
    assert run("check", "streamd.toml", folder=Path(shop)).returncode == 0


def test_offline_check_runs_nothing(tmp_path: Path) -> None:
    """The unit runs it before each start and reload."""
    file = tmp_path / "streamd.toml"
    file.write_text('[sources.made]\ncommand = "touch made; echo 1"\nevery = "5s"\n')
    done = run("check", "--offline", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "streamd.toml: no mistakes\n")
    assert not (tmp_path / "made").exists()
    file.write_text('[sources.made]\ncomand = "touch made"\n[server]\npace = "often"\n')
    lines = complaint("check", "--offline", folder=tmp_path)
    assert [line.partition(":")[0] for line in lines] == ["server.pace", "sources.made.comand"]


def test_offline_check_takes_an_empty_file_for_a_broken_one(tmp_path: Path) -> None:
    """A program that writes a file empties it first: a reload at that moment has to fail."""
    (tmp_path / "streamd.toml").write_text("")
    [line] = complaint("check", "--offline", folder=tmp_path)
    assert "streamd.toml" in line or "empty" in line


@pytest.mark.parametrize("options", [[], ["--offline"]])
def test_check_tells_what_would_stop_the_daemon_at_its_start(
    tmp_path: Path, options: Sequence[str]
) -> None:
    """The journal and the alerts, which a check does not run."""
    (tmp_path / "streamd.toml").write_text("""
[journal]
path = "nowhere/streamd.db"
[alerts.shop]
streams = ["shop.*"]
to = ["slack-channel", "http://localhost/", "nothing://s3cret"]
[sources.clock]
command = "date +%s"
every = "1h"
""")
    journal, *alerts = complaint("check", *options, folder=tmp_path)
    file = tmp_path / "nowhere" / "streamd.db"
    assert (
        journal
        == f"journal.path: cannot use {file}: there is no folder {file.parent} (streamd.toml, line 3)"
    )
    assert [line.split(": ")[0] for line in alerts] == ["alerts.shop.to[0]", "alerts.shop.to[2]"]


def test_check_with_a_credential(tmp_path: Path) -> None:
    """A command does not learn where the credentials are."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "admin").write_text("0123456789abcdef\n")
    (tmp_path / "streamd.toml").write_text("""
[access]
admin = [{ credential = "admin" }]
[sources.where]
command = "echo ${CREDENTIALS_DIRECTORY-nowhere}"
every = "5s"
""")
    done = run("check", folder=tmp_path, CREDENTIALS_DIRECTORY=str(tmp_path / "given"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "nowhere" in done.stdout
    [line] = complaint("check", "--offline", folder=tmp_path)
    assert line.startswith("access.admin[0]: systemd gave this process no credentials")


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
    assert line.startswith("sources.shop.database: database file missing or not readable (")
    assert f": {shop / 'none.db'})" in line
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


BACKFILL = """
[sources.shop]
database = "sqlite:///shop.db"
query = "SELECT count(*) AS orders FROM orders"
{more}
[sources.shop.backfill]
query = "SELECT unixepoch() - 60 * id AS time, id AS orders{column} FROM orders WHERE :to > :from"
[streams.shop.orders]
rollup = "8d"
"""


def test_check_says_what_a_backfill_would_do(shop: Path) -> None:
    (shop / "streamd.toml").write_text(BACKFILL.format(more="", column=""))
    done = run("check", folder=shop)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()[1:]
    begin = strftime("%Y-%m-%d 00:00", localtime(time() - 8 * 86_400))
    assert head == f"shop: a backfill begins at {begin}; some of its rows:"
    assert [row.split("  ")[-1] for row in rows] == ["orders 3", "orders 2", "orders 1"]


def test_check_says_why_a_backfill_would_fail(shop: Path) -> None:
    column = f", '{'x' * 100}' AS note"
    text = BACKFILL.format(more="", column=column)
    (shop / "streamd.toml").write_text(text)
    [line] = complaint("check", folder=shop)
    assert "not those of the source's query: note unknown to the query (" in line
    text = text.replace("AS orders FROM", "AS orders, 'x' AS note FROM", 1)
    (shop / "streamd.toml").write_text(text)
    done = run("check", folder=shop)
    told = "sources.shop.backfill.query: without rollup nothing is kept: shop.note"
    assert (done.returncode, done.stderr) == (1, f"streamd: {told} (streamd.toml, line 7)\n")
    assert all(len(line) < 80 for line in done.stdout.splitlines())
    (shop / "streamd.toml").write_text(BACKFILL.format(more="", column=" FROM nowhere --"))
    [line] = complaint("check", folder=shop)
    assert line.startswith("sources.shop.backfill.query: no such table: nowhere")


def test_check_of_a_backfill_with_a_key_leaves_out_what_is_gone(shop: Path) -> None:
    more = 'key = "id"'
    text = BACKFILL.format(more=more, column=", id").replace(
        "count(*) AS orders FROM orders", "1 AS id, 5 AS orders"
    )
    (shop / "streamd.toml").write_text(
        text.replace("[streams.shop.orders]", '[streams."shop.1.orders"]')
    )
    done = run("check", folder=shop)
    assert (done.returncode, done.stderr) == (0, "")
    last = done.stdout.splitlines()[-1]
    assert last == "  not kept, because without rollup: shop.2.orders, shop.3.orders"


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


@pytest.mark.parametrize("options", [[], ["--offline"]])
def test_check_says_on_which_line_a_mistake_is(tmp_path: Path, options: Sequence[str]) -> None:
    (tmp_path / "streamd.toml").write_text("""\
[server]
pace = "often"
[sources.clock]
comand = "date"
""")
    lines = complaint("check", *options, folder=tmp_path)
    assert [line.rpartition(" (")[2] for line in lines] == [
        "streamd.toml, line 2)",
        "streamd.toml, line 4)",
    ]
    (tmp_path / "streamd.toml").write_text("[server]\npace = 1s\n")
    [line] = complaint("check", *options, folder=tmp_path)
    assert line.count("line 2") == 1


def test_check_says_on_which_line_a_source_fails(tmp_path: Path) -> None:
    (tmp_path / "streamd.toml").write_text("""\
[sources.clock]
every = "1s"
command = "exit 3"
""")
    [line] = complaint("check", folder=tmp_path)
    assert line == "sources.clock.command: the command ended with status 3 (streamd.toml, line 3)"


def test_check_without_a_file(tmp_path: Path) -> None:
    [line] = complaint("check", "missing.toml", folder=tmp_path)
    assert line.startswith("cannot read missing.toml: No such file")


def test_a_formula_that_waits_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "streamd.toml").write_text("""
[sources.number]
kind = "random_walk"
[sources.slow]
formula = 'delta(number, "15m")'
[streams.slow]
title = "A formula with a description"
""")
    done = run("check", folder=tmp_path)
    lines = [line for line in done.stdout.splitlines() if line.startswith("slow")]
    assert lines == ["slow: number is not known for 15m yet"]


def test_offline_check_leaves_the_credentials_of_the_service_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands of ExecReload= cannot read them; other mistakes count."""
    text = "[access]\nadmin = [{ credential = 'admin' }]\n"
    file = tmp_path / "streamd.toml"
    file.write_text(text)
    read = Path.read_text

    def deny(path: Path, *words: Any, **options: Any) -> str:
        if path.parent == Path("/run/credentials"):
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *words, **options)

    monkeypatch.setattr(Path, "read_text", deny)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    monkeypatch.setattr(sys, "argv", ["streamd", "check", "--offline", str(file)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().out) == (0, f"{file}: no mistakes\n")
    file.write_text(text + "[server]\npace = 'often'\n")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("streamd: server.pace: ")
