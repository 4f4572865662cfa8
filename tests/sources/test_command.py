"""What real programs print, on every viewer: good ones, and the worst."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import provider

from streamd.sources.command import STDERR_LINES, Lines
from tests.support.net import wait_until
from tests.support.served import Serve, Served, in_thread
from tests.support.streams import Streams, mistake


def config(command: str | list[str], lines: str = "") -> str:
    """The source `load`, and a lively one beside it."""
    written = "'''" + command + "'''" if isinstance(command, str) else json.dumps(command)
    return f'[sources.load]\ncommand = {written}\n{lines}\n[sources.other]\nkind = "random_walk"\n'


def python(program: str) -> list[str]:
    return [sys.executable, "-uc", program]


@in_thread
def test_each_line_is_a_reading(serve: Serve) -> None:
    streams = Streams(serve(config("printf '7\\n\\nready\\r\\n [1]\\nlast'; sleep 60")))
    streams.expect("load", [1])
    assert streams.history("load") == [7, "ready", [1]]
    assert streams.health("load") == ("fresh", None)


@in_thread
def test_an_object_is_a_stream_a_member(serve: Serve) -> None:
    streams = Streams(serve(config("""echo '{"one": 0.5, "five": 0.25}'; sleep 60""")))
    streams.expect("load.five", 0.25)
    streams.expect("load.one", 0.5)


@in_thread
def test_every_so_often(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = "test ! -e broken && echo run >>runs && wc -l <runs | tr -d '\\n'"
    streams = Streams(serve(config(command, 'every = "100ms"')))
    wait_until(lambda: streams.history("load")[:5] == [1, 2, 3, 4, 5], what="five runs")
    assert streams.all()["load"]["expect"] == pytest.approx(0.3)
    Path("broken").touch()
    error = streams.expect_health("load", "failed")
    assert error == "the command ended with status 1"
    Path("broken").unlink()
    streams.expect_health("load", "fresh")


@in_thread
def test_a_process_outside_the_group_delays_nothing(serve: Serve) -> None:
    runs = 'every = "100ms"\ntimeout = "200ms"\nrepeat = true'
    streams = Streams(serve(config("setsid sleep 60 & echo 42", runs)))
    streams.expect("load", 42)
    wait_until(lambda: len(streams.history("load")) > 1, what="a second run")


@in_thread
def test_a_run_that_prints_nothing_is_a_proof(serve: Serve, tmp_path: Path) -> None:
    once = f"test -e {tmp_path}/once || echo 1; touch {tmp_path}/once"
    streams = Streams(serve(config(once, 'every = "100ms"')))
    streams.expect("load", 1)
    first = streams.all()["load"]["health"]["proof"]
    wait_until(lambda: streams.all()["load"]["health"]["proof"] > first + 0.5)
    assert streams.history("load") == [1]


@in_thread
def test_a_run_whose_line_is_too_long_proves_nothing(serve: Serve, tmp_path: Path) -> None:
    long_line = "head -c 1100000 /dev/zero | tr '\\0' x"
    command = f"test -e {tmp_path}/once && {long_line} || echo 1; echo >>{tmp_path}/once"
    streams = Streams(serve(config(command, 'every = "100ms"')))
    streams.expect("load", 1)
    wait_until(lambda: len((tmp_path / "once").read_text()) > 1, what="a second run")
    streams.expect_health("load", "failed")
    for _ in range(30):  # in which two runs end
        assert streams.health("load") == ("failed", "a text may have 1 MiB, this has more")
        time.sleep(0.05)


@in_thread
def test_one_process_for_any_number_of_viewers(serve: Serve, tmp_path: Path) -> None:
    served = serve(config(f"echo $$ >>{tmp_path}/runs; echo 1; sleep 60"))
    Streams(served).expect("load", 1)
    for _ in range(20):
        with served.connect() as viewer:
            viewer.recv()
    assert len((tmp_path / "runs").read_text().splitlines()) == 1


@in_thread
def test_it_is_run_again_and_not_too_often(serve: Serve, tmp_path: Path) -> None:
    began = time.monotonic()
    streams = Streams(serve(config(f"echo >>{tmp_path}/runs; wc -l <{tmp_path}/runs")))
    wait_until(lambda: streams.history("load")[:2] == [1, 2], what="a second run")
    assert time.monotonic() - began > 1
    error = streams.expect_health("load", "failed")
    assert error == 'the command ended; with every = "5s" it runs every 5 seconds'


@in_thread
def test_how_it_ended(serve: Serve) -> None:
    streams = Streams(
        serve(
            '[sources.a]\ncommand = "no-such-program"\n'
            '[sources.b]\ncommand = "kill -9 $$"\n'
            '[sources.c]\ncommand = "exit 3"\nevery = "1s"\n'
            '[sources.d]\ncommand = "sleep 60"\nevery = "1s"\ntimeout = "200ms"\n'
        )
    )
    for name, error in {
        "a": "the command ended with status 127",
        "b": "the command was ended by signal 9",
        "c": "the command ended with status 3",
        "d": "the command took longer than 0.2 s",
    }.items():
        assert streams.expect_health(name, "failed") == error


@pytest.mark.parametrize(
    "command",
    [
        "echo $$; sleep 600 & sleep 600",
        "trap '' TERM; echo $$; sleep 600 & while :; do sleep 1; done",
    ],
    ids=["soft", "hard"],
)
@in_thread
def test_it_ends_with_all_that_it_started(serve: Serve, command: str) -> None:
    served = serve(config(command))
    streams = Streams(served)
    streams.expect_health("load", "fresh")
    group = streams.value("load")
    os.killpg(group, 0)
    served.run(served.service.sources[0][0].stop)
    wait_until(lambda: not exists(group), what="the group to end")


@in_thread
def test_it_ends_with_what_left_its_group(serve: Serve, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    stubborn = f'trap "" TERM; echo $$ >>{pids}; while :; do sleep 1; done'
    command = f"setsid sleep 300 & echo $! >{pids}; setsid sh -c 'sleep 300 & echo $! >>{pids}'; "
    command += f"setsid sh -c '{stubborn}' & while [ $(wc -l <{pids}) -lt 3 ]; do sleep .1; done; "
    served = serve(config(f"{command} echo ready; exec sleep 300"))
    Streams(served).expect("load", "ready")
    left = [int(line) for line in pids.read_text().split()]
    assert len(left) == 3
    served.run(served.service.sources[0][0].stop)
    wait_until(lambda: not any(map(is_running, left)), what=f"the end of {left}")


def is_running(pid: int) -> bool:
    """Whether there is such a process that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@in_thread
def test_what_it_left_running_ends_with_it(serve: Serve) -> None:
    streams = Streams(serve(config("sleep 600 & echo $$", 'every = "1h"')))
    streams.expect_health("load", "fresh")
    wait_until(lambda: not exists(streams.value("load")), what="the group to end")


def exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


# -- the worst -------------------------------------------------------------------------------------

FLOOD = "import itertools, os\nfor n in itertools.count(): os.write(1, b'%d\\n' % n * 5000)"
ENDLESS = "import os\nwhile True: os.write(1, b'x' * 65536)"
RUBBISH = (  # each line of it: a short one might well be text without its first byte
    "import os, time\nwhile True: "
    "os.write(1, b'\\xff' + os.urandom(4096).replace(b'\\n', b'\\n\\xff') + b'\\n'), time.sleep(.01)"
)
COMPLAINING = "import os\nprint(1)\nwhile True: os.write(2, b'wrong\\n' * 10000)"


@pytest.mark.parametrize(
    ("program", "state", "error"),
    [
        (FLOOD, "fresh", None),
        (ENDLESS, "failed", "a text may have 1 MiB, this has more"),
        (RUBBISH, "failed", "the text is neither JSON nor UTF-8"),
        (COMPLAINING, "fresh", None),
    ],
    ids=["flood", "endless", "rubbish", "complaining"],
)
@in_thread
def test_the_worst_is_no_harm_to_others(
    serve: Serve, program: str, state: str, error: str | None
) -> None:
    lines: list[str] = []

    @provider(ILogObserver)
    def collect(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(collect)
    served = serve(config(python(program)))
    streams = Streams(served)
    streams.expect_health("load", state)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worst, used = delays(served, 2)
    globalLogPublisher.removeObserver(collect)
    assert streams.health("load") == (state, error)
    assert worst < 10
    assert used < 0.5, "of a processor"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 20_000  # KiB
    # So many a minute, and one that says so; a minute may begin meanwhile.
    assert sum("stderr" in line for line in lines) <= 2 * (STDERR_LINES + 1)


def delays(served: Served, seconds: float) -> tuple[float, float]:
    """The longest that the reactor took to do something else, and the processor's share."""
    began, before, worst = time.monotonic(), time.process_time(), 0.0
    while time.monotonic() < began + seconds:
        asked = time.monotonic()
        served.run(lambda: None)
        worst = max(worst, time.monotonic() - asked)
        time.sleep(0.005)
    return worst, (time.process_time() - before) / (time.monotonic() - began)


@in_thread
def test_of_a_flood_the_newest(serve: Serve) -> None:
    program = "for n in range(200000): print(n)\nimport time; time.sleep(60)"
    streams = Streams(serve(config(python(program))))
    streams.expect("load", 199999)
    assert streams.all()["load"]["seq"] < 20_000


# -- the configuration -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            'command = ["no-such-program", "x"]',
            "sources.load.command: there is no program no-such-program",
        ),
        (
            'command = ["./no-such-program"]',
            "sources.load.command: there is no program ./no-such-program",
        ),
        ("command = []", "sources.load.command: expected a command line, or a list such as "),
        ('command = ""', "sources.load.command: expected a command line, or a list such as "),
        ('command = "true"\nevery = "0s"', "sources.load.every: expected a duration longer than 0"),
    ],
)
def test_mistakes(lines: str, problem: str) -> None:
    assert mistake(f"[sources.load]\n{lines}").startswith(problem)


SECRETS = """
[access]
publish = [{ env = "T_PUBLISH" }]
[sources.web]
url = "http://localhost:9/"
every = "1h"
headers = { Authorization = { env = "T_HEADER" } }
[sources.db]
database = { env = "T_DATABASE" }
query = "SELECT 1 AS a"
every = "1h"
"""


@in_thread
def test_secrets_of_the_configuration_are_not_in_the_environment(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T_DATABASE", "sqlite:///none.db")
    for name in ("T_PUBLISH", "T_HEADER", "T_PLAIN"):
        monkeypatch.setenv(name, "x")
    program = (
        "import os; print(' '.join(sorted(n for n in os.environ if n.startswith('T_'))), flush=1)"
    )
    streams = Streams(serve(config(python(program), 'every = "1h"') + SECRETS))
    streams.expect("load", "T_PLAIN")
    listed = 'every = "1h"\nenv = ["T_HEADER", "T_DATABASE"]'
    streams = Streams(serve(config(python(program), listed) + SECRETS))
    streams.expect("load", "T_DATABASE T_HEADER T_PLAIN")


@given(st.lists(st.text("ab\n", max_size=12).map(str.encode)), st.randoms(use_true_random=False))
def test_lines_come_in_any_pieces(parts: list[bytes], random: Random) -> None:
    text = b"\n".join(parts)
    found: list[bytes] = []
    lines = Lines(8, found.append)
    while text:
        piece = random.randint(1, len(text))
        lines.received(text[:piece])
        text = text[piece:]
        assert len(lines._rest) <= 8
    lines.ended()
    whole = [line for line in b"\n".join(parts).split(b"\n") if line]
    # Of a line that is too long only the beginning is sure to be there: enough to see that it is.
    assert [line[:9] for line in found] == [line[:9] for line in whole]
