"""A new configuration takes effect while the daemon runs; a broken one changes nothing."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from select import select
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from streamd.app.reload import _at_start
from streamd.config.parse import TABLES, parse
from streamd.config.tables import Config, LogSettings, ServerSettings
from streamd.journals.registry import JOURNAL_KINDS
from streamd.sources.registry import find_kinds
from tests.support.certificate import make_chain
from tests.support.daemon import CHECKOUT, TWISTD, Daemon, StartDaemon
from tests.support.net import accepts, free_port, wait_until
from tests.support.receiver import receiving

TOKEN = "a-token-of-16-characters"

BEGIN = f"""
[access]
publish = ["{TOKEN}"]

[sources.steady]
command = "echo started >> steady.starts; while true; do echo 1; sleep 0.2; done"

[streams.steady]
title = "Steady"
keep = 5

[[walls]]
name = "hall"
streams = ["steady"]
"""

DONE = "the configuration was read again"
REFUSED = "the configuration is unchanged"

WITHIN = 40.0
"""Seconds for a change that takes less than one: the machine may be busy."""


class Running:
    """A daemon, its configuration file, and a viewer that must not be dropped."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.file = daemon.folder / "streamd.toml"
        self._opened = ExitStack()
        self.viewer = self.view()
        self.hello = self.told("hello")
        self.told("configuration")

    def view(self) -> ClientConnection:
        """A viewer that stays until :meth:`close`."""
        protocol: Any = "streamd.v1"
        url = f"ws://127.0.0.1:{self.daemon.port}/ws"
        return self._opened.enter_context(connect(url, subprotocols=[protocol]))

    def close(self) -> None:
        """End the viewers, none of which may have been dropped."""
        assert self.viewer.protocol.state.name == "OPEN"
        self._opened.close()

    def told(self, *types: str) -> Any:
        """The next message of one of these types."""
        until = time.monotonic() + WITHIN
        while True:
            left = until - time.monotonic()
            message = json.loads(self.viewer.recv(timeout=max(0.1, left)))
            if message["type"] in types:
                return message

    def described(self, stream: str) -> Any:
        """The next description of a stream; None if it is forgotten."""
        while True:
            streams = self.told("streams")["streams"]
            if stream in streams:
                return streams[stream]

    def save(self, text: str) -> None:
        """Replace the configuration in one step, and send SIGHUP."""
        draft = self.file.with_suffix(".draft")
        draft.write_text(text)
        draft.rename(self.file)
        self.hang_up()

    def hang_up(self) -> None:
        before = self.reloads()
        os.kill(self.daemon.pid, signal.SIGHUP)
        wait_until(lambda: self.reloads() > before, WITHIN, "a reload")

    def reloads(self) -> int:
        log = self.daemon.log()
        return log.count(DONE) + log.count(REFUSED)

    def starts(self, source: str = "steady") -> int:
        """How often a source was started."""
        file = self.daemon.folder / f"{source}.starts"
        return file.read_text().count("started") if file.exists() else 0

    def get(self, path: str) -> Any:
        return json.loads(self.daemon.request("GET", path).body)

    def publish(self, stream: str, token: str = TOKEN, value: str = "1") -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return self.daemon.request("POST", f"/streams/{stream}", value, headers).status


@pytest.fixture
def running(start_daemon: StartDaemon) -> Iterator[Running]:
    running = Running(start_daemon(config=BEGIN))
    wait_until(lambda: running.starts(), WITHIN, "the source")
    yield running
    assert running.starts() == 1
    running.close()


def test_changed_streams_are_described_to_viewers_that_stay(running: Running) -> None:
    running.save(BEGIN.replace("Steady", "Firm") + '[streams.extra]\nunit = "kg"\n')
    assert running.described("steady")["title"] == "Firm"
    assert running.get("/streams")["streams"]["extra"]["unit"] == "kg"
    running.save(BEGIN)
    assert running.described("extra") is None
    assert "extra" not in running.get("/streams")["streams"]


def test_sources_start_change_and_end(running: Running) -> None:
    one = '\n[sources.other]\ncommand = "echo started >> other.starts; echo VALUE; sleep 1000"\n'
    running.save(BEGIN + one.replace("VALUE", "1"))
    wait_until(lambda: running.get("/state").get("other") == 1, WITHIN, "the new source")
    running.save(BEGIN + one.replace("VALUE", "2"))
    wait_until(lambda: running.get("/state").get("other") == 2, WITHIN, "the changed source")
    assert running.starts("other") == 2
    running.save(BEGIN)
    gone = "no source reports it any more"
    wait_until(
        lambda: running.get("/healthz?strict")["streams"].get("other", {}).get("error") == gone,
        WITHIN,
        "the former source",
    )
    running.save(BEGIN + one.replace("VALUE", "3"))
    wait_until(lambda: running.get("/healthz?strict")["streams"] == {}, WITHIN, "it to be back")


def test_tokens_count_from_now_on(running: Running) -> None:
    assert running.publish("a") == 201
    running.save(BEGIN.replace(TOKEN, "another-token-of-32-characters-x"))
    assert running.publish("a") == 401
    assert running.publish("a", "another-token-of-32-characters-x") == 201


def test_viewers_get_another_version_of_the_walls(running: Running) -> None:
    before = running.get("/walls/hall")
    running.save(BEGIN + '[[walls]]\nname = "lab"\n')
    told = running.told("configuration")
    assert told["walls"] != before["version"]
    assert told["build"] == before["build"]
    assert running.get("/walls")["walls"] == ["hall", "lab"]
    assert running.get("/walls/lab")["version"] == told["walls"]


def test_a_mistake_changes_nothing_and_is_reported_with_its_place(running: Running) -> None:
    broken = BEGIN.replace("keep = 5", "keep = 0").replace("Steady", "Broken")
    running.save(broken)
    place = 1 + broken[: broken.index("keep = 0")].count("\n")
    trouble = running.told("configuration")["trouble"]
    assert trouble == {
        "file": "streamd.toml",
        "line": place,
        "key": "streams.steady.keep",
        "message": "expected 1 to 1000000 updates",
    }
    assert f"streamd.toml, line {place}: streams.steady.keep: " in running.daemon.log()
    assert running.get("/healthz") == {"status": "ok", "configuration": "broken"}
    assert running.get("/healthz?strict")["configuration"] == trouble
    assert running.get("/streams")["streams"]["steady"]["title"] == "Steady"
    running.save(BEGIN)
    assert running.told("configuration")["trouble"] is None
    assert running.get("/healthz") == {"status": "ok"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "[streams.a", None])
def test_a_file_that_is_empty_or_gone_changes_nothing(running: Running, text: str | None) -> None:
    if text is None:
        running.file.unlink()
        running.hang_up()
    else:
        running.save(text)
    assert running.told("configuration")["trouble"]["file"] == "streamd.toml"
    assert running.get("/walls")["walls"] == ["hall"]
    running.save(BEGIN)
    assert running.told("configuration")["trouble"] is None


def test_a_file_is_read_when_it_was_saved_in_whole(running: Running) -> None:
    text = BEGIN.replace("Steady", "Saved")
    with running.file.open("w") as file:
        for part in (text[:40], text[40:90], text[90:]):
            file.write(part)
            file.flush()
            time.sleep(0.2)
    assert running.described("steady")["title"] == "Saved"


def test_a_changed_journal_needs_a_restart_and_the_rest_does_not(running: Running) -> None:
    journal = '[journal]\nkind = "sqlite"\npath = "journal.db"\n'
    running.save(journal + BEGIN.replace("Steady", "Firm"))
    assert running.described("steady")["title"] == "Firm"
    note = "journal: this change takes effect at the next start"
    wait_until(lambda: note in running.daemon.log(), WITHIN)


# -- alerts ----------------------------------------------------------------------------------------

FIRING = f"""
[access]
publish = ["{TOKEN}"]
[streams.shop]
critical = "> 1"
"""
ALERT = """
[alerts.{name}]
streams = ["shop"]
for = "{lasting}"
to = [{{ env = "ALERT_URL" }}]
"""


def test_alerts_change_while_they_fire(start_daemon: StartDaemon) -> None:
    """A changed alert goes on with its event, a removed one too once it is back; a new one begins."""
    old = ALERT.format(name="old", lasting="1s")
    with receiving() as receiver:
        running = Running(start_daemon(config=FIRING + old, env={"ALERT_URL": receiver.url}))

        def told(name: str) -> list[str]:
            # A reload may come before the answer to a message; then it is sent again.
            messages = [message for message in receiver.once() if message["alert"] == name]
            assert len({message["event"] for message in messages}) <= 1
            return [message["kind"] for message in messages]

        running.publish("shop", value="2")
        wait_until(lambda: told("old") == ["begin"], WITHIN, "the event")
        changed, new = (
            ALERT.format(name="old", lasting="2s"),
            ALERT.format(name="new", lasting="1s"),
        )
        running.save(FIRING + changed)
        running.save(FIRING + new)
        wait_until(lambda: told("new") == ["begin"], WITHIN, "the event of the new alert")
        running.publish("shop", value="1")
        running.save(FIRING + changed + new)
        wait_until(lambda: told("new") == ["begin", "end"], WITHIN, "the end of the event")
        wait_until(lambda: told("old") == ["begin", "end"], WITHIN, "the end of the older event")
        running.close()


# -- certificates ----------------------------------------------------------------------------------


def verified(port: int, root: Path) -> str:
    """The serial number of the certificate that is served, once openssl has verified its chain."""
    words = f"openssl s_client -connect 127.0.0.1:{port} -CAfile {root} -verify_return_error"
    words += " -verify_hostname localhost"
    done = subprocess.run(words.split(), input="", capture_output=True, text=True, timeout=WITHIN)
    assert done.returncode == 0, done.stdout + done.stderr
    served = ssl.get_server_certificate(("127.0.0.1", port))
    about = ["openssl", "x509", "-noout", "-serial"]
    return subprocess.run(about, input=served, capture_output=True, text=True, check=True).stdout


def test_a_renewed_certificate_is_served_while_old_connections_continue(
    start_daemon: StartDaemon, tmp_path: Path
) -> None:
    for name in ("first", "second", "live"):
        (tmp_path / name).mkdir()
    make_chain(tmp_path / "first")
    make_chain(tmp_path / "second")
    live, port = tmp_path / "live", free_port()

    def use(folder: str, *names: str) -> None:
        for name in names or ("key.pem", "fullchain.pem", "root.pem"):
            shutil.copy(tmp_path / folder / name, live / name)

    use("first")
    files = f"privateKey={live}/key.pem:certKey={live}/fullchain.pem"
    daemon = start_daemon("--port", f"ssl:{port}:interface=127.0.0.1:{files}", config=BEGIN)
    running = Running(daemon)
    trusting = ssl.create_default_context(cafile=str(live / "root.pem"))
    first = verified(port, live / "root.pem")
    with connect(f"wss://localhost:{port}/ws", ssl=trusting) as old:
        use("second", "fullchain.pem")  # and not yet the key
        running.hang_up()
        wait_until(lambda: "the key or the certificate" in daemon.log(), WITHIN)
        assert verified(port, live / "root.pem") == first
        use("second")
        running.hang_up()
        assert verified(port, live / "root.pem") != first
        running.publish("alive")
        while json.loads(old.recv(timeout=WITHIN)).get("alive") != 1:
            pass
    running.close()


# -- a terminal ------------------------------------------------------------------------------------


def test_a_terminal_that_is_closed_ends_the_daemon(tmp_path: Path) -> None:
    """It sends SIGHUP, too, and nobody could stop what goes on."""
    port = free_port()
    words = [
        str(TWISTD),
        "-n",
        "--pidfile=",
        "streamd",
        "--port",
        f"tcp:{port}:interface=127.0.0.1",
    ]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(words[0], words)
    try:
        wait_until(lambda: accepts(port), WITHIN, "the daemon")
        os.kill(pid, signal.SIGHUP)  # with its terminal, this is a reload
        said = b""

        def reloaded() -> bool:
            nonlocal said
            if select([terminal], [], [], 0)[0]:
                said += os.read(terminal, 4096)
            return DONE.encode() in said

        wait_until(reloaded, WITHIN, "a reload")
    finally:
        os.close(terminal)
    wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, WITHIN, "its end")


# -- two nodes -------------------------------------------------------------------------------------

SHARED = """
[journal]
kind = "redis"
url = "redis://127.0.0.1:PORT"
[sources.steady]
command = "echo started >> FOLDER/steady.starts; while true; do echo 1; sleep 0.2; done"
[sources.shop]
command = "echo started >> FOLDER/shop.starts; while true; do echo 1; sleep 0.2; done"
[streams.shop]
title = "Shop"
"""


@pytest.mark.patience(180)
def test_two_nodes_change_one_after_the_other(
    start_daemon: StartDaemon, redis: Any, tmp_path: Path
) -> None:
    text = SHARED.replace("PORT", str(redis.port)).replace("FOLDER", str(tmp_path))
    nodes = [Running(start_daemon(config=text)) for _ in range(2)]

    def all_show(name: str, value: Any) -> None:
        def shown() -> bool:
            return all(node.get("/state").get(name) == value for node in nodes)

        wait_until(shown, WITHIN, name)

    def starts(name: str) -> int:
        file = tmp_path / f"{name}.starts"
        return file.read_text().count("started") if file.exists() else 0

    all_show("steady", 1)
    all_show("shop", 1)
    changed = text.replace(
        "shop.starts; while true; do echo 1", "shop.starts; while true; do echo 2"
    )
    for node in nodes:
        node.save(changed)
    all_show("shop", 2)
    gone = changed.replace("[sources.shop]", "[sources.other]").replace(
        "shop.starts", "other.starts"
    )
    for node in nodes:
        node.save(gone)
    all_show("other", 2)
    late = "no source reports it any more"

    def all_late() -> bool:
        return all(
            late in str(node.get("/healthz?strict")["streams"].get("shop")) for node in nodes
        )

    wait_until(all_late, WITHIN)
    assert starts("steady") == 1
    for node in nodes:
        node.close()


# -- what the documentation says -------------------------------------------------------------------


def test_the_table_of_keys_has_every_key() -> None:
    text = (CHECKOUT / "docs" / "configuration.rst").read_text()
    section = text.partition("Changes while the daemon runs")[2].partition("``[server]``")[0]
    told = re.findall(r"^``([a-z_.]+)`` +(at [a-z ]+)", section, re.MULTILINE)
    keys = {f"server.{key}" for key in ServerSettings.__struct_fields__}
    keys |= {f"log.{key}" for key in LogSettings.__struct_fields__}
    assert {key for key, _ in told} == {*TABLES, *keys} - {"server", "log"}
    later = {key for key, when in told if when.startswith("at the next start")}
    assert later == _at_start(Config()).keys()


def test_what_is_read_twice_is_equal() -> None:
    """Or every reload would start the source anew, or tell viewers what they know."""
    text = """
        [sources.command]
        command = ["date", "+%s"]
        [sources.http]
        url = "http://localhost/"
        pick = { a = "/a", b = "/b" }
        headers = { Authorization = { env = "SECRET" } }
        every = "1h"
        [sources.redis]
        url = "redis://localhost/1"
        subscribe = "orders"
        [sources.query]
        database = "sqlite:///shop.db"
        query = "SELECT 1"
        every = "5s"
        [sources.listen]
        database = "postgresql://localhost/shop"
        listen = "orders"
        [sources.formula]
        formula = "100 * query / http.a"
        [sources.call]
        call = "office.queue_depth"
        every = "5s"
        [sources.image]
        image = "a.png"
        every = "5s"
        [sources.events]
        url = "http://localhost/"
        events = true
        [sources.file]
        file = "*.log"
        pattern = "(?P<a>.*)"
        [sources.websocket]
        url = "wss://localhost/"
        say = '{"subscribe": "orders"}'
        [sources.streamd]
        streamd = "http://localhost:5001/"
        [sources.prometheus]
        url = "http://localhost:9090/"
        promql = "up"
        [sources.mqtt]
        url = "mqtt://localhost/"
        topic = "office/+"
        [sources.amqp]
        url = "amqp://localhost/shop"
        exchange = "orders"
        key = { all = "orders.#" }
        [sources.kafka]
        url = "kafka://localhost/"
        topic = "orders"
        [streams.a]
        warn = "> 5"
        keep = "24h"
        goal = 5
        from = "2026-01-01"
        by = "2026-12-31"
        [[walls]]
        name = "hall"
        accent = "#0080ff"
        [[screens]]
        name = "tv"
        walls = [{ wall = "hall", hours = "08:00-18:00", days = "mon-fri" }]
        dim = { hours = "18:00-08:00", to = 0.5 }
        """
    first, again = (parse(text, find_kinds(), JOURNAL_KINDS) for _ in range(2))
    assert first == again
    kinds = {kind.name for kind in find_kinds() if kind.told_by}
    assert {table.kind.name for table in first.sources.values()} == kinds
