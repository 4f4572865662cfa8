"""The installed console script as a process: what it does, and each kind of mistake."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from twisted.trial.unittest import SynchronousTestCase

from streamd import __version__
from streamd.app.cli.suggestion import database_url, source_name, suggest
from streamd.app.cli.tail import iso_time
from streamd.config.parse import parse
from streamd.sources.registry import find_kinds
from tests.support.daemon import STOP_SECONDS, Daemon, StartDaemon
from tests.support.databases import PASSWORD, DatabaseServer
from tests.support.net import free_port, wait_until
from tests.support.redis import Redis

STREAMD = Path(sys.executable).with_name("streamd")

QUERY = "SELECT count(*) AS orders, sum(amount) AS revenue FROM orders"


def environment(**more: str) -> dict[str, str]:
    mine = {key: value for key, value in os.environ.items() if not key.startswith("STREAMD_")}
    return {**mine, "PYTHONUNBUFFERED": "1", **more}


def run(
    *arguments: str | Path, folder: Path, stdin: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [STREAMD, *arguments],
        cwd=folder,
        env=environment(**env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def complaint(*arguments: str | Path, folder: Path, **env: str) -> list[str]:
    """What a command that has to fail says on stderr, a line for each thing that is wrong."""
    done = run(*arguments, folder=folder, **env)
    assert done.returncode == 1, (done.stdout, done.stderr)
    lines = done.stderr.splitlines()
    assert all(line.startswith("streamd: ") for line in lines), lines
    return [line.removeprefix("streamd: ") for line in lines]


@contextmanager
def started(
    *arguments: str | Path, folder: Path, **env: str
) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """A command that goes on, and what it has said so far (both outputs)."""
    log = folder / "said.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            [STREAMD, *arguments],
            cwd=folder,
            env=environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            # Whoever runs the tests in the background has it ignored, and so would all children.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
    try:
        yield process, log.read_text
    finally:
        process.kill()
        process.wait()


def interrupt(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(STOP_SECONDS)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with the README's shop.db: three orders."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as file, file:
        file.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL, created TEXT)")
        file.executemany("INSERT INTO orders (amount) VALUES (?)", [(2.5,), (3,), (4,)])
    return tmp_path


def insert(folder: Path, amount: float) -> None:
    with closing(sqlite3.connect(folder / "shop.db")) as file, file:
        file.execute("INSERT INTO orders (amount) VALUES (?)", (amount,))


# -- help ------------------------------------------------------------------------------------------


def test_version_and_help(tmp_path: Path) -> None:
    assert run("--version", folder=tmp_path).stdout == f"streamd {__version__}\n"
    done = run("--help", folder=tmp_path)
    assert done.returncode == 0
    for command in ("try", "check", "publish", "tail"):
        assert f"streamd {command} " in done.stdout
        assert run(command, "--help", folder=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "words", [[], ["dance"], ["try", "shop.db"], ["publish", "a"], ["tail", "--history", "x"]]
)
def test_command_that_is_none_is_status_two(tmp_path: Path, words: Sequence[str]) -> None:
    done = run(*words, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: streamd")


# -- publish ---------------------------------------------------------------------------------------


def test_publish(daemon: Daemon, tmp_path: Path) -> None:
    values = [
        ("a", "42", 42),
        ("b", "out of paper", "out of paper"),
        ("c", '{"x": [1]}', {"x": [1]}),
    ]
    for name, said, _ in [*values, ("d", "-7", 0)]:
        done = run("publish", name, said, folder=tmp_path, STREAMD_URL=daemon.url)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    state = daemon.request("GET", "/state").json()
    assert {name: state[name] for name, _, _ in values} == {
        name: value for name, _, value in values
    }
    assert state["d"] == -7


def test_publish_from_standard_input(daemon: Daemon, tmp_path: Path) -> None:
    run("publish", "a", "-", "--url", f"{daemon.url}/", folder=tmp_path, stdin="two\nlines\n")
    assert daemon.request("GET", "/state").json()["a"] == "two\nlines"


def test_publish_with_a_token(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config='[access]\npublish = ["let-me-in"]')
    words = ("publish", "a", "1", "--url", daemon.url)
    assert run(*words, folder=tmp_path, STREAMD_TOKEN="let-me-in\n").returncode == 0
    [line] = complaint(*words, folder=tmp_path)
    assert "token" in line
    for wrong in ("guessed-wrong", "naïve-wrong", "two\nlines-wrong"):
        [line] = complaint(*words, folder=tmp_path, STREAMD_TOKEN=wrong)
        assert "token" in line
        assert "wrong" not in line


def test_publish_what_cannot_be(daemon: Daemon, tmp_path: Path) -> None:
    at = {"STREAMD_URL": daemon.url}
    [line] = complaint("publish", "bad name", "1", folder=tmp_path, **at)
    assert '"bad name" is not a name' in line
    [line] = complaint("publish", "a", "NaN", folder=tmp_path, **at)
    assert "the value is not JSON" in line
    [line] = complaint("publish", "a", "", folder=tmp_path, **at)
    assert "the body is empty" in line


@pytest.mark.parametrize("words", [("publish", "a", "1"), ("tail",)])
def test_no_daemon(words: Sequence[str], tmp_path: Path) -> None:
    nowhere = f"http://localhost:{free_port()}"
    lines = {
        nowhere: f"cannot reach {nowhere}: Connection refused",
        "http://no.such.invalid": "cannot reach http://no.such.invalid: ",
        "http://a..b:1": "cannot reach http://a..b:1: ",
        "localhost:5000": "expected a URL such as http://localhost:5000, not localhost:5000",
        "http://": "expected a URL",
        "http://localhost:port": "expected a URL",
        "ftp://localhost": "expected a URL",
    }
    for url, wanted in lines.items():
        [line] = complaint(*words, "--url", url, folder=tmp_path)
        assert line.startswith(wanted)


@pytest.mark.parametrize("words", [("publish", "a", "1"), ("tail",)])
def test_another_server(words: Sequence[str]) -> None:
    """One that has nothing there, one that answers everything, one that speaks no HTTP."""
    answers = {
        b"HTTP/1.0 404 Not Found\r\n\r\n": "Not Found",
        b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>Hello": "is no streamd",
        b"SSH-2.0-OpenSSH\r\n": "cannot reach",
    }
    for said, wanted in answers.items():
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            command: list[str | Path] = [STREAMD, *words, "--url", url]
            process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(said)
            connection.close()
            _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert wanted in err
        assert len(err.splitlines()) == 1, err


# -- tail ------------------------------------------------------------------------------------------


def test_tail(daemon: Daemon, tmp_path: Path) -> None:
    daemon.request("POST", "/streams/db.a", "1")
    daemon.request("POST", "/streams/db.a", "2")
    with started("tail", "db.*", "--url", daemon.url, folder=tmp_path) as (process, said):
        wait_until(lambda: said().count("\n") == 1)
        daemon.request("POST", "/streams/other", "1")
        daemon.request("POST", "/streams/db.b", '"é\\n"'.encode())
        wait_until(lambda: said().count("\n") == 2)
        assert interrupt(process) == 0
    first, second = (line.split(" ", 2) for line in said().splitlines())
    assert (first[1:], second[1:]) == (["db.a", "2"], ["db.b", '"é\\n"'])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", first[0])


def test_moments_that_no_calendar_has() -> None:
    assert iso_time(0).startswith("19")
    assert iso_time(1e17) == "1e+17"


def test_tail_json_with_history(daemon: Daemon, tmp_path: Path) -> None:
    for value in ("1", "2", "3"):
        daemon.request("POST", "/streams/a", value)
    words = ("tail", "a", "--json", "--history", "2", "--url", daemon.url)
    with started(*words, folder=tmp_path) as (_, said):
        wait_until(lambda: said().count("\n") == 2)
    updates = [json.loads(line) for line in said().splitlines()]
    assert [(u["stream"], u["seq"], u["value"]) for u in updates] == [("a", 2, 2), ("a", 3, 3)]


def test_tail_ends_with_its_reader(daemon: Daemon) -> None:
    command = f"{STREAMD} tail --url {daemon.url} | head -n 2"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (done.stdout.count("\n"), done.stderr) == (2, "")


def test_tail_declined(daemon: Daemon, tmp_path: Path) -> None:
    [line] = complaint("tail", "--history", "0", "--url", daemon.url, folder=tmp_path)
    assert "history: expected" in line


def test_tail_survives_a_restart(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config='[access]\npublish = "loopback"')
    daemon.request("POST", "/streams/a", "1")
    with started("tail", "--url", daemon.url, folder=tmp_path) as (_, said):
        wait_until(lambda: said().endswith(" a 1\n"))
        daemon.kill()
        wait_until(lambda: "cannot reach" in said())
        time.sleep(3)
        assert said().count("coming back") <= 2  # not one for each attempt
        daemon.start()
        daemon.request("POST", "/streams/a", "2")
        wait_until(lambda: said().endswith(" a 2\n"))
        assert "some updates were missed" in said()  # the log was in memory


def test_tail_goes_on_where_it_was(daemon: Daemon, tmp_path: Path) -> None:
    """A link that breaks: nothing is printed twice, nothing is left out."""
    daemon.request("POST", "/streams/a", "1")
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with started("tail", "a", "--url", url, folder=tmp_path) as (_, said):
            with relayed(listener, daemon.port):
                wait_until(lambda: said().endswith(" a 1\n"))
            for value in ("2", "3"):
                daemon.request("POST", "/streams/a", value)
            with relayed(listener, daemon.port):
                wait_until(lambda: said().endswith(" a 3\n"))
    printed = [line for line in said().splitlines() if " a " in line]
    assert [line.split()[-1] for line in printed] == ["1", "2", "3"]


@contextmanager
def relayed(listener: socket.socket, port: int) -> Iterator[None]:
    """The next connection goes to `port`, as long as this lasts."""
    listener.settimeout(30)
    near, _ = listener.accept()
    far = socket.create_connection(("127.0.0.1", port))
    pump = f"""
import socket, threading
def copy(a, b):
    while data := a.recv(65536): b.sendall(data)
near, far = (socket.socket(fileno=n) for n in ({near.fileno()}, {far.fileno()}))
threading.Thread(target=copy, args=(near, far), daemon=True).start()
copy(far, near)
"""
    fds = (near.fileno(), far.fileno())
    relay = subprocess.Popen([sys.executable, "-c", pump], pass_fds=fds)
    near.close()
    far.close()
    try:
        yield
    finally:
        relay.kill()
        relay.wait()


# -- check -----------------------------------------------------------------------------------------


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
        "sources.name.query": '"name.count(*)" is not a name',
        "sources.key.key": "the query gives no column ident",
        "sources.new.after": "the query gives no column id",
        "sources.time.time": "the query gives no column made",
        "sources.file.database": "file is not a database",
    }
    lines = dict(line.split(": ", 1) for line in complaint("check", folder=shop))
    assert lines.keys() == wanted.keys()
    for path, why in wanted.items():
        assert why in lines[path]


FUNCTIONS = """
import time

def broken():
    return 1 / 0

def stuck():
    time.sleep(3600)

def odd():
    return {"good": 1, "bad": float("nan")}
"""

EVERY_KIND = """
[sources.host]
database = "postgresql://me:pa55@no.such.invalid/shop"
query = "SELECT 1 AS one"
[sources.ears]
database = "postgresql://me:pa55@127.0.0.1:1/shop"
listen = "alerts"
[sources.maria]
database = "mysql://me:pa55@127.0.0.1:1/shop"
query = "SELECT 1 AS one"
[sources.redis]
url = "redis://:pa55@127.0.0.1:1"
subscribe = "jobs"
[sources.http]
url = "http://127.0.0.1:1/"
[sources.ended]
command = "exit 3"
every = "1s"
[sources.program]
command = ["no-such-program"]
[sources.function]
call = "functions.missing"
[sources.module]
call = "no_such_module.depth"
[sources.broken]
call = "functions.broken"
[sources.odd]
call = "functions.odd"
[sources.stuck]
call = "functions.stuck"
expect = "2s"
"""


def test_check_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    (tmp_path / "streamd.toml").write_text(EVERY_KIND)
    done = run("check", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout.split() == ["odd.good", "1", "ok"]
    assert "pa55" not in done.stderr
    lines = [line.removeprefix("streamd: sources.") for line in done.stderr.splitlines()]
    wanted = [
        "host.database: the database cannot be reached",
        "ears.database: the database cannot be reached",
        "maria.database: the database cannot be reached",
        "redis.url: Redis does not accept connections",
        "http.url: the host does not accept connections",
        "ended.command: the command ended with status 3",
        "program.command: there is no program no-such-program",
        "function.call: functions (",
        "module.call: there is no module no_such_module",
        "broken.call: ZeroDivisionError: division by zero",
        "odd.call: odd.bad: the value cannot be JSON",
        "stuck.call: the function has not returned for 2 s",
    ]
    assert len(lines) == len(wanted), lines
    for line, start in zip(lines, wanted, strict=True):
        assert line.startswith(start), line


def test_check_of_servers(
    tmp_path: Path,
    start_daemon: StartDaemon,
    postgres: DatabaseServer,
    mariadb: DatabaseServer,
    redis: Redis,
) -> None:
    """One clear line each with the key to look at, from a check as at the daemon's start."""
    there = f"redis://127.0.0.1:{redis.port}"
    redis.say("SET", "text", "x")
    config, wanted = "", {}
    for url in (postgres.url, mariadb.url):
        elsewhere = url.rpartition("/")[0] + "/elsewhere"
        for name, key, database, column, why in (
            ("login", "database", url.replace(PASSWORD, "pa55"), "1", "refused the login"),
            ("host", "database", url.replace("127.0.0.1", "no.such.invalid"), "1", "reached"),
            ("base", "database", elsewhere, "1", "elsewhere"),
            ("sql", "query", url, "nothing", "nothing"),
        ):
            name = url[0] + name
            config += f'[sources.{name}]\ndatabase = "{database}"\nquery = "SELECT {column} AS a"\n'
            wanted[f"sources.{name}.{key}"] = why
    config += f"""
[sources.hears]
database = "{postgres.url}"
listen = "alerts"
query = "SELECT nothing AS a"
[sources.login]
url = "{there.replace("//", "//me:pa55@")}"
get = "text"
[sources.type]
url = "{there}"
llen = "text"
"""
    wanted["sources.hears.query"] = "nothing"
    wanted["sources.login.url"] = "WRONGPASS"
    wanted["sources.type.llen"] = "WRONGTYPE"
    (tmp_path / "streamd.toml").write_text(config)
    lines = dict(line.split(": ", 1) for line in complaint("check", folder=tmp_path))
    assert lines.keys() == wanted.keys()
    assert not {path: lines[path] for path, why in wanted.items() if why not in lines[path]}
    daemon = start_daemon(config=config)
    for path, line in lines.items():
        wait_until(lambda said=f"{path}: {line}": said in daemon.log(), what=path)  # type: ignore[misc]
    assert "pa55" not in daemon.log() + str(lines)


def test_check_of_what_speaks_when_it_likes(tmp_path: Path) -> None:
    for_long = f"exec sleep 3600.{os.getpid()}"
    (tmp_path / "streamd.toml").write_text(f"""
[sources.soon]
command = "sleep 1; echo 5; {for_long}"
[sources.silent]
command = "{for_long}"
""")
    done = run("check", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["soon", "5", "ok"],
        ["silent:", "connected,", "nothing", "yet"],
    ]

    def left() -> list[Path]:
        sleeping = for_long.split()[-1].encode()
        return [p for p in Path("/proc").glob("[0-9]*/cmdline") if sleeping in read(p)]

    wait_until(lambda: not left(), what="the end of what it started")


def read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # that process ended
        return b""


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


# -- try -------------------------------------------------------------------------------------------


def state(port: int) -> Any:
    with urlopen(f"http://localhost:{port}/state", timeout=5) as answer:
        return json.load(answer)


@pytest.mark.parametrize("form", ["shop.db", "sqlite:///shop.db", "{folder}/shop.db"])
def test_try_puts_a_query_on_a_wall(shop: Path, form: str) -> None:
    port = free_port()
    database = form.format(folder=shop)
    words = ("try", database, QUERY, "--every", "200ms", "--port", str(port))

    with started(*words, folder=shop) as (process, said):
        wait_until(lambda: f"http://localhost:{port}/\n" in said())
        wait_until(lambda: state(port) == {"shop.orders": 3, "shop.revenue": 9.5})
        with urlopen(f"http://localhost:{port}/", timeout=5) as page:
            assert b"<!doctype html>" in page.read().lower()
        insert(shop, 0.5)
        wait_until(lambda: state(port) == {"shop.orders": 4, "shop.revenue": 10.0})
        (shop / "shop.db").rename(shop / "gone.db")
        wait_until(lambda: "streamd: sources.shop.database: database file missing" in said())
        assert interrupt(process) == 0
    assert "Traceback" not in said()


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_try_on_a_server(tmp_path: Path, server: str, request: pytest.FixtureRequest) -> None:
    database: DatabaseServer = request.getfixturevalue(server)
    database.sql(
        "CREATE TABLE sold (region varchar(20), amount numeric(9, 2))",
        "INSERT INTO sold VALUES ('north', 1.5), ('south', 2)",
    )
    port = free_port()
    query = "SELECT region, sum(amount) AS amount_eur FROM sold GROUP BY region ORDER BY region"
    words = ("try", database.url, query, "--port", str(port))
    with started(*words, folder=tmp_path) as (process, said):
        wait_until(lambda: f"http://localhost:{port}/\n" in said())
        name = "postgres" if server == "postgres" else "shop"
        wanted = {f"{name}.north.amount_eur": 1.5, f"{name}.south.amount_eur": 2}
        wait_until(lambda: state(port) == wanted)
        assert interrupt(process) == 0
    assert 'key = "region"' in said()


def test_try_prints_the_configuration_to_keep(shop: Path) -> None:
    port = str(free_port())
    with (shop / "streamd.toml").open("w") as kept:
        process = subprocess.Popen(
            [STREAMD, "try", "shop.db", QUERY, "--port", port],
            cwd=shop,
            stdout=kept,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: (shop / "streamd.toml").read_text())
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    done = run("check", folder=shop)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["shop.orders", "3", "ok"],
        ["shop.revenue", "9.5", "ok"],
    ]


def test_try_that_cannot_be(shop: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        busy = str(listener.getsockname()[1])
        cases = {
            (
                "none.db",
                "SELECT 1 AS a",
            ): "sources.none.database: database file missing or not readable",
            ("shop.db", "SELECT 1 AS a FORM b"): "sources.shop.query: ",
            ("shop.db", ""): "sources.shop.query: expected a SELECT",
            ("oracle://x/y", "SELECT 1"): "sources.y.database: expected",
            ("shop.db", "SELECT count(*) FROM orders"): "sources.shop.query: count(*) is no name",
            ("shop.db", QUERY, "--every", "soon"): "sources.shop.every: ",
            ("shop.db", QUERY, "--port", "70000"): "port: expected 0 to 65535",
            ("shop.db", QUERY, "--port", f"tcp:{busy}:interface=127.0.0.1"): "port: cannot listen",
        }
        for words, wanted in cases.items():
            [line] = complaint("try", *words, folder=shop)
            assert line.startswith(wanted), line


# -- what a query suggests -------------------------------------------------------------------------


class SketchTests(SynchronousTestCase):
    def sources(self, *rows: dict[str, Any]) -> dict[str, object]:
        text = suggest("shop", rows, database="sqlite:///shop.db", query='SELECT "1"\n', every="2s")
        parse(text, find_kinds())
        table = tomllib.loads(text)
        assert table["sources"]["shop"].pop("query") == 'SELECT "1"\n'
        return {**table["sources"]["shop"], **table.get("streams", {}).get("shop", {})}

    def shape(self, *rows: dict[str, Any]) -> str:
        keys = self.sources(*rows)
        return "list" if keys.get("table") else f"key {keys['key']}" if "key" in keys else "columns"

    def test_one_row(self) -> None:
        keys = self.sources({"orders": 3, "latency_ms": 4.5, "Max_Load_percent": None})
        self.assertEqual({"title": "Orders"}, keys["orders"])
        self.assertEqual({"title": "Latency", "unit": "ms"}, keys["latency_ms"])
        self.assertEqual({"title": "Max Load", "unit": "%"}, keys["Max_Load_percent"])

    def test_rows_that_a_text_tells_apart(self) -> None:
        north, south = {"region": "north", "sold": 1}, {"region": "south", "sold": 1}
        self.assertEqual("key region", self.shape(north, south))
        self.assertEqual("list", self.shape(north, north))
        self.assertEqual("list", self.shape(north, {"region": None, "sold": 1}))
        self.assertEqual("key region", self.shape(north, {"region": "far east", "sold": 1}))
        self.assertEqual("list", self.shape(*({"c": c, "n": 1} for c in ("a b", "a_b"))))
        self.assertEqual("list", self.shape({"region": "north"}, {"region": "south"}))
        self.assertEqual("list", self.shape(*({"n": f"a{n}", "sold": n} for n in range(25))))

    def test_other_rows(self) -> None:
        self.assertEqual("list", self.shape({"id": 1, "a": "x"}, {"id": 2, "a": "y"}))
        self.assertEqual("list", self.shape())

    def test_column_without_a_name(self) -> None:
        self.assertRaises(ValueError, self.sources, {"count(*)": 3})

    def test_names(self) -> None:
        for url, name in {
            "sqlite:///shop.db": "shop",
            "sqlite:////srv/my%20shop.v2.db": "my-shop",
            "postgresql://me:secret@db.example.org/sales?sslmode=require": "sales",
            "postgresql://db.example.org": "query",
            "sqlite:///---.db": "query",
        }.items():
            self.assertEqual(name, source_name(url))
        self.assertEqual("sqlite:///my%20shop.db", database_url("my shop.db"))
        self.assertEqual("sqlite:////srv/shop.db", database_url("/srv/shop.db"))
