"""A source that runs once: its values, its problems and its end."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.daemon import StartDaemon
from tests.support.databases import PASSWORD, DatabaseServer
from tests.support.net import wait_until
from tests.support.redis import Redis
from tests.support.shell import complaint, run

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
    lines = check_lines(tmp_path)
    assert lines.keys() == wanted.keys()
    assert not {path: lines[path] for path, why in wanted.items() if why not in lines[path]}
    daemon = start_daemon(config=config)
    for path, line in lines.items():
        wait_until(lambda said=f"{path}: {line}": said in daemon.log(), what=path)  # type: ignore[misc]
    assert "pa55" not in daemon.log() + str(lines)


def test_check_of_a_source_without_an_interval(tmp_path: Path) -> None:
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


def test_check_names_the_key_that_is_wrong(shop: Path, start_daemon: StartDaemon) -> None:
    """The main key of each of these sources is right, so it must not be blamed."""
    sql = 'database = "sqlite:///shop.db"\nquery ='
    (shop / "lines.log").write_text('{"when": "soon", "load": 1}\n')
    (shop / "streamd.toml").write_text(f"""
[sources.pick]
url = "{start_daemon().url}/state"
pick = "/nothing"
[sources.twice]
{sql} "SELECT 'a' AS name, id FROM orders"
key = "name"
[sources.null]
{sql} "SELECT NULL AS id WHERE :after IS NULL OR 1 ORDER BY id"
after = "id"
[sources.time]
{sql} "SELECT id, 'soon' AS made FROM orders WHERE id > :after ORDER BY id"
after = "id"
time = "made"
[sources.row]
file = "lines.log"
key = "host"
[sources.when]
file = "lines.log"
time = "when"
""")
    wanted = {
        "sources.pick.pick": "pick: there is nothing at /nothing",
        "sources.twice.key": "two rows are a: name is 'a' and 'a'",
        "sources.null.after": "column id is NULL in a row",
        "sources.time.time": "the row with id 3: column made: 'soon' is no time",
        "sources.row.key": "row: there is no name at host",
        "sources.when.time": "when: column when: 'soon' is no time",
    }
    assert check_lines(shop) == wanted


def check_lines(folder: Path) -> dict[str, str]:
    """What a check says of each key path, without the line of the file."""
    lines = (line.split(": ", 1) for line in complaint("check", folder=folder))
    return {path: why.rpartition(" (streamd.toml, line ")[0] for path, why in lines}
