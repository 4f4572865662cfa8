"""Proves that the units of streamd keep a service that looks after itself, under a real systemd.

It installs streamd as ``make install`` does, into the files of a machine of its own (machine.py):

- systemd hears READY, shows the status, and judges the exposure as 1.5 or better; sources of each kind
  work;
- an event loop that hangs is restarted by the watchdog within its time and 3 s, the log says where it
  hung, and no connection is refused;
- kill -9 ten times in a row: each time the daemon answers within 3 s, no connection is refused, the
  socket stays open, and a viewer that resumes has every update once;
- a command that takes all memory is ended alone;
- a configuration with a mistake makes a start fail, and then there is a start only every five
  seconds; the daemon serves again by itself after the mend;
- port 443 with TLS, as docs/operations.rst sets it up: renewed certificates are served after a reload
  while an open connection goes on, and kill -9 refuses no connection;
- ``systemctl reload`` twenty times under 500 viewers, once with a broken file and once with an empty
  one: both make the command fail, no viewer is dropped and no source is restarted;
- a stop with 500 viewers tells each of them 1012, and the status is 0;
- two instances on one port each serve at least a third of 400 connections.

It needs root, systemd and the package index. ``STREAMD_SEED=FOLDER`` keeps the installed files for the
next run.
"""

from __future__ import annotations

import os
import re
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from checks.crowd import LOOPBACK, Crowd
from checks.machine import Machine, why_not
from checks.numbered import Publisher, Viewer, Worker
from checks.proof import Proof, main
from checks.unit import CONFIG, STUCK, WATCHDOG, Knocking, Unit, install
from streamd.app.process import allow_files
from tests.support.certificate import make_certificate
from tests.support.daemon import Server
from tests.support.databases import MariaServer, PostgresServer
from tests.support.net import accepts, free_port, request, wait_until
from tests.support.redis import Redis

GRACE = 3.0
PAUSE = 5.0
"""Seconds between a start that failed and the next one, by the unit."""

BROKEN = 15.0
"""Seconds for which the configuration stays broken."""

EXPOSURE = 1.5
CRASHES = 10
RESTART = 1012

TLS = "/etc/streamd/tls"
TLS_GROUP = f"groupadd --force --system streamd-tls; install -d -m 750 -g streamd-tls {TLS}"
TLS_DROP_IN = f"""
[Service]
SupplementaryGroups=streamd-tls
ExecStart=
ExecStart=/opt/streamd/bin/streamd serve --config /etc/streamd/streamd.toml \
    --port systemd:domain=INET:index=0 \
    --port ssl:{{port}}:privateKey={TLS}/privkey.pem:certKey={TLS}/fullchain.pem
"""

PLAN = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'


def prove(proof: Proof, viewers: int = 500) -> None:
    if reason := why_not():
        proof.figure(f"nothing is proved: {reason}")
        return
    allow_files()
    with tempfile.TemporaryDirectory(prefix="streamd-systemd-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # databases run as users of their own
        port = free_port()
        seed = install(folder, port)
        (folder / "machine").mkdir()
        machine = stack.enter_context(Machine(folder / "machine", seed))
        unit = Unit(machine, port)
        _prove_ready(proof, unit)
        _prove_sources(proof, unit, folder)
        _prove_watchdog(proof, unit)
        _prove_crashes(proof, unit)
        _prove_memory(proof, unit)
        _prove_broken(proof, unit)
        _prove_certificate(proof, unit, folder)
        _prove_reload(proof, unit, viewers)
        _prove_stop(proof, unit, viewers)
        _prove_instances(proof, unit, folder)


def _seconds_until(question: Callable[[], object], most: float = 120) -> float:
    begin = time.monotonic()
    wait_until(question, most)
    return time.monotonic() - begin


def _prove_ready(proof: Proof, unit: Unit) -> None:
    begin = time.monotonic()
    started = unit.systemctl("enable", "--now", "streamd.socket", "streamd.service")
    proof.figure(f"systemctl start took {time.monotonic() - begin:.1f} s")
    answered = unit.answers()
    if started or not answered:
        print(unit.machine.attempt("systemctl", "status", "streamd").stdout, unit.log())
    proof.claim(started == 0 and answered, "a start ends when the daemon answers")
    wait_until(lambda: "viewers" in unit.status(), 30)
    proof.claim("0 viewers, " in unit.status(), f"the status is {unit.status()!r}")
    exposure = unit.machine.run(
        "systemd-analyze", "security", "--no-pager", "streamd.service"
    ).splitlines()[-1]
    figure = float(exposure.partition(": ")[2].split()[0])
    proof.claim(figure <= EXPOSURE, f"{exposure.strip()}; at most {EXPOSURE}")


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[1, 2]")

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def _web() -> Iterator[int]:
    server = ThreadingHTTPServer((LOOPBACK, 0), _Answer)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _server(kind: Callable[[Path], Server], folder: Path) -> Iterator[Server]:
    """A server with a folder of its own; a database has its user."""
    own = Path(tempfile.mkdtemp(dir=folder))
    own.chmod(0o755)
    server = kind(own)
    server.start()
    try:
        if isinstance(server, PostgresServer | MariaServer):
            server.clear()
        yield server
    finally:
        server.stop()


def _prove_sources(proof: Proof, unit: Unit, folder: Path) -> None:
    """Each kind of source works although the service may do so little."""
    with ExitStack() as stack:
        web = stack.enter_context(_web())
        redis, postgres, maria = (
            stack.enter_context(_server(kind, folder))
            for kind in (Redis, PostgresServer, MariaServer)
        )
        unit.machine.run(
            "/usr/bin/python3",
            "-c",
            "import sqlite3; sqlite3.connect('/etc/streamd/shop.db').execute('CREATE TABLE t (n)')",
        )
        unit.machine.write("/etc/streamd/plan.svg", PLAN)
        unit.configure(f"""
{CONFIG}
[sources.random]
kind = "random_walk"
[sources.sqlite]
database = "sqlite:///shop.db"
query = "SELECT count(*) AS rows FROM t"
[sources.postgres]
database = "{postgres.url}"
query = "SELECT 1 AS one"
[sources.listens]
database = "{postgres.url}"
listen = "shop"
[sources.maria]
database = "{maria.url}"
query = "SELECT 1 AS one"
[sources.web]
url = "http://{LOOPBACK}:{web}/"
[sources.channel]
url = "redis://{LOOPBACK}:{redis.port}"
get = "orders"
[sources.plan]
image = "plan.svg"
""")
        assert isinstance(redis, Redis)
        redis.say("SET", "orders", "7")
        wanted = (
            "load stuck twice demo.cpu random sqlite.rows postgres.one maria.one web channel plan"
        )
        unit.systemctl("restart", "streamd.service")
        names = wanted.split()
        with suppress(AssertionError):
            wait_until(lambda: all(unit.health(name) == "fresh" for name in names), 60)
        bad = {name: health for name in names if (health := unit.health(name)) != "fresh"}
        failed = unit.status()
        proof.claim(not bad and "failed" not in failed, f"sources of {len(names)} kinds work {bad}")
        if bad or "failed" in failed:
            print(failed, request(unit.port, "GET", "/healthz?strict").text)
    unit.configure(CONFIG)
    unit.systemctl("restart", "streamd.service")


def _prove_watchdog(proof: Proof, unit: Unit) -> None:
    unit.machine.write("/etc/streamd/stuck.py", STUCK.replace("/run/", "/etc/streamd/"))
    unit.systemctl("restart", "streamd.service")
    pid = unit.pid()
    with Knocking(unit.port) as knocking:
        unit.machine.write("/etc/streamd/streamd-hang", "")
        with suppress(OSError):
            while request(unit.port, "GET", "/healthz", timeout=1).status == 200:
                time.sleep(0.1)
        begin = time.monotonic() - 1.0  # the time-out of the request
        unit.machine.run("rm", "/etc/streamd/streamd-hang")
        _seconds_until(lambda: unit.answers() and unit.pid() != pid)
        took = time.monotonic() - begin
    proof.claim(
        took <= WATCHDOG + GRACE * proof.patience,
        f"a loop that hangs answers again after {took:.1f} s; at most {WATCHDOG + GRACE:g}",
    )
    knocking.claim(proof, "while it hung and restarted")
    log = unit.log()
    proof.claim("Watchdog timeout" in log and "stuck.py" in log, "the log says where it hung")


def _prove_crashes(proof: Proof, unit: Unit) -> None:
    """kill -9 again and again; a publisher and a viewer go on beside it."""
    publisher = Publisher(lambda: unit.port, ("orders",), keyed=True)
    viewer = Viewer(lambda: unit.url, silence=5.0, stay=lambda: 1000.0, streams="orders")
    workers = [Worker(publisher.turn, lambda: not publisher.in_doubt), Worker(viewer.turn)]
    for worker in workers:
        worker.start()
    times = []
    with Knocking(unit.port) as knocking:
        for _ in range(CRASHES):
            pid = unit.pid()
            os.kill(pid, 9)
            times.append(_seconds_until(unit.answers))
    proof.claim_times(times, GRACE, f"until it answers after kill -9, {CRASHES} times in a row")
    knocking.claim(proof, "meanwhile")
    active = unit.machine.show("streamd.socket", "ActiveState")
    proof.claim(active == "active", f"the socket is {active}")
    workers[0].end()
    newest = max(publisher.acknowledged["orders"], default=0)
    with suppress(AssertionError):
        wait_until(lambda: newest in viewer.numbers.get("orders", ()), 30)
    viewer.over.set()
    workers[1].end()
    seqs, numbers = viewer.seqs.get("orders", []), viewer.numbers.get("orders", [])
    whole = numbers == list(range(1, newest + 1)) and seqs == list(range(1, len(seqs) + 1))
    proof.claim(
        whole and viewer.anew == 0,
        f"a viewer with {viewer.connections} connections has each of {newest} updates once",
    )


def _prove_memory(proof: Proof, unit: Unit) -> None:
    """A command that takes all memory is one failed source."""
    greedy = "head -c 2G /dev/zero | tail"
    unit.configure(f'{CONFIG}\n[sources.greedy]\ncommand = "{greedy}"\nevery = "5s"\n')
    unit.systemctl("restart", "streamd.service")
    pid = unit.pid()
    with suppress(AssertionError):
        wait_until(lambda: "source failed: greedy" in unit.status(), 60)
    same = unit.pid() == pid
    proof.claim(
        same and "greedy" in unit.status() and unit.answers(),
        f"a command that takes all memory fails alone: {unit.status()}",
    )
    unit.configure(CONFIG)
    unit.systemctl("restart", "streamd.service")


def _prove_broken(proof: Proof, unit: Unit) -> None:
    """A mistake in the configuration makes a start fail, and must not cost a core."""
    unit.configure(f"{CONFIG}\n[sources.x]\nqury = 1\n")
    failed = unit.systemctl("restart", "streamd.service") != 0
    before = unit.restarts()
    time.sleep(BROKEN)
    starts = unit.restarts() - before
    most = BROKEN / PAUSE + 1
    proof.claim(
        failed and 0 < starts <= most,
        f"a restart with a mistake fails, then {starts} starts in {BROKEN:g} s; at most {most:g}",
    )
    proof.claim("did you mean query?" in unit.log(), "the log tells the mistake")
    unit.configure(CONFIG)
    took = _seconds_until(unit.answers)
    proof.claim_times([took], PAUSE + GRACE, "until it answers after the mend")


def _prove_certificate(proof: Proof, unit: Unit, folder: Path) -> None:
    """Port 443 as docs/operations.rst sets it up, and renewed certificates."""
    port = free_port() if accepts(443) else 443
    machine, units = unit.machine, "/etc/systemd/system"
    machine.run("bash", "-ec", f"{TLS_GROUP}; mkdir -p {units}/streamd.socket.d")
    machine.write(
        f"{units}/streamd.socket.d/tls.conf", f"[Socket]\nListenStream={LOOPBACK}:{port}\n"
    )
    machine.write(f"{units}/streamd.service.d/tls.conf", TLS_DROP_IN.format(port=port))
    certificate = _renew(machine, folder)
    machine.run("systemctl", "daemon-reload")
    unit.systemctl("restart", "streamd.socket")
    wait_until(unit.answers, 60)
    context = ssl.create_default_context(cadata=certificate)
    open_one = HTTPSConnection("localhost", port, timeout=60, context=context)
    open_one.request("GET", "/healthz")
    answers, shown = [open_one.getresponse().read()], [_shown(port) == certificate]
    pid = unit.pid()
    for _ in range(3):
        certificate = _renew(machine, folder)
        unit.systemctl("reload", "streamd.service")
        with suppress(AssertionError):
            wait_until(lambda: _shown(port) == certificate, 20)  # noqa: B023
        shown.append(_shown(port) == certificate)
        open_one.request("GET", "/healthz")
        answers.append(open_one.getresponse().read())
    open_one.close()
    proof.claim(all(shown) and unit.pid() == pid, f"port {port} shows renewed certificates {shown}")
    proof.claim(len({*answers}) == 1, "a connection from before the renewals goes on")
    with Knocking(port) as knocking:
        os.kill(pid, 9)
        took = _seconds_until(lambda: _shown(port) == certificate)
    proof.claim_times([took], GRACE, f"until port {port} serves TLS after kill -9")
    knocking.claim(proof, f"on port {port} meanwhile")
    machine.run("rm", f"{units}/streamd.socket.d/tls.conf", f"{units}/streamd.service.d/tls.conf")
    machine.run("systemctl", "daemon-reload")
    unit.systemctl("restart", "streamd.socket")
    wait_until(unit.answers, 60)


def _renew(machine: Machine, folder: Path) -> str:
    """Give the daemon a new key and certificate, as a hook of certbot does; return the certificate."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        make_certificate(Path(made))
        certificate = (Path(made) / "cert.pem").read_text()
        machine.write(f"{TLS}/privkey.pem", (Path(made) / "key.pem").read_text())
        machine.write(f"{TLS}/fullchain.pem", certificate)
    machine.run("bash", "-c", f"chgrp streamd-tls {TLS}/*; chmod 640 {TLS}/*")
    return certificate


def _shown(port: int) -> str:
    """The certificate that a port shows; empty while it shows none."""
    with suppress(OSError):
        return ssl.get_server_certificate((LOOPBACK, port), timeout=10)
    return ""


def _process_of_source(unit: Unit) -> int:
    """The process that the source ``runs`` has started; it runs until it is ended."""
    return int(request(unit.port, "GET", "/state").json().get("runs", 0))


def _beside(crowd: Crowd, call: Callable[[], int]) -> int:
    """Call a function in a thread, and serve a crowd meanwhile; return its result."""
    outcome: list[int] = []
    worker = Thread(target=lambda: outcome.append(call()))
    worker.start()
    crowd.run(120, lambda: not worker.is_alive())
    worker.join()
    return outcome[0]


def _prove_reload(proof: Proof, unit: Unit, viewers: int) -> None:
    wait_until(lambda: _process_of_source(unit), 60)
    pid, process = unit.pid(), _process_of_source(unit)
    with Crowd(unit.port) as crowd:
        crowd.gather(viewers)
        failures = []
        for number in range(20):
            text = f'{CONFIG}\n[streams.load]\ntitle = "Load {number}"\n'
            text = {7: text + "[sources.x]\nqury = 1\n", 13: ""}.get(number, text)
            unit.configure(text)
            if _beside(crowd, lambda: unit.systemctl("reload", "streamd.service")):
                failures.append(number)
            crowd.run(0.5)
        crowd.run(2.0)
        left = sum(viewer.ended for viewer in crowd.viewers)
        title = request(unit.port, "GET", "/streams/load").json().get("title")
    proof.claim(failures == [7, 13], f"the reloads that failed: {failures}")
    proof.claim(left == 0 and unit.pid() == pid, f"{left} of {viewers} viewers were dropped")
    proof.claim(title == "Load 19", f"the newest file counts: {title}")
    same = _process_of_source(unit) == process
    proof.claim(same, "the process of a source that did not change is the same")


def _prove_stop(proof: Proof, unit: Unit, viewers: int) -> None:
    with Crowd(unit.port) as crowd:
        crowd.gather(viewers)
        _beside(crowd, lambda: unit.systemctl("stop", "streamd.socket", "streamd.service"))
        crowd.run(20, lambda: all(viewer.ended for viewer in crowd.viewers))
        told = sum(viewer.closed == RESTART for viewer in crowd.viewers)
    status = unit.machine.show("streamd.service", "ExecMainStatus")
    result = unit.machine.show("streamd.service", "Result")
    proof.claim(told == viewers, f"{told} of {viewers} viewers were told {RESTART}")
    proof.claim((status, result) == ("0", "success"), f"ended with {status}, {result}")


def _viewers(unit: Unit, name: str) -> int:
    """The viewers that the status of an instance tells."""
    found = re.search(r"(\d+) viewers?,", unit.machine.show(f"{name}.service", "StatusText"))
    return int(found[1]) if found else 0


def _prove_instances(proof: Proof, unit: Unit, folder: Path) -> None:
    with _server(Redis, folder) as redis:
        unit.configure(f'[journal]\nurl = "redis://{LOOPBACK}:{redis.port}"\n')
        names = [f"streamd@{number}" for number in (1, 2)]
        units = [f"{name}.{kind}" for name in names for kind in ("socket", "service")]
        unit.systemctl("start", *units)
        with Crowd(unit.port) as crowd:
            crowd.gather(400)
            counts = [0, 0]
            for _ in range(30):  # the status is at most a second old, on a machine that is not busy
                crowd.run(1.0)
                counts = [_viewers(unit, name) for name in names]
                if sum(counts) == 400:
                    break
        unit.systemctl("stop", *units)
    proof.claim(min(counts) >= 133 and sum(counts) == 400, f"two instances serve {counts}")


if __name__ == "__main__":
    main(prove)
