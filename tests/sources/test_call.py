"""What functions say, on every viewer: of every shape, and the worst."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import pytest

from tests.support.daemon import StartDaemon
from tests.support.net import wait_until
from tests.support.served import Serve, in_thread
from tests.support.shell import complaint, run
from tests.support.streams import Streams, mistake
from tests.support.tidy import LoggedErrors

_numbers = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of one's own, which :func:`write` writes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    return f"office_{next(_numbers)}"


def write(module: str, text: str) -> None:
    Path(f"{module}.py").write_text("import time\nn = 0\n" + text)


def start(serve: Serve, module: str, text: str, **lines: str) -> Streams:
    """A source a function, with the lines of its table, and a lively one."""
    write(module, text)
    tables = [
        f'[sources.{name}]\ncall = "{module}.{name}"\n{rest}\n' for name, rest in lines.items()
    ]
    return Streams(serve("".join(tables) + '[sources.other]\nkind = "random_walk"'))


SHAPES = """
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks, returnValue
from twisted.internet.task import deferLater
from twisted.python.threadable import isInIOThread

def plain():
    time.sleep(0.01)
    return [1, isInIOThread()]

async def coroutine():
    await deferLater(reactor, 0.01)
    return [2, isInIOThread()]

def deferred() -> "Deferred[list]":
    return deferLater(reactor, 0.01, lambda: [3, isInIOThread()])

@inlineCallbacks
def inline():
    yield deferLater(reactor, 0.01)
    return [4, isInIOThread()]

calls = []
def untold():
    calls.append(isInIOThread())
    return deferLater(reactor, 0.01, lambda: calls[:3])

def generator():
    n = 0
    while True:
        time.sleep(0.05)
        n += 1
        yield n if n < 3 else isInIOThread()

async def steps():
    for n in (1, 2):
        await deferLater(reactor, 0.05)
        yield n
    while True:
        await deferLater(reactor, 0.05)
        yield isInIOThread()
"""


@in_thread
def test_every_shape(serve: Serve, module: str) -> None:
    fast = 'every = "50ms"'
    shapes = dict.fromkeys(("plain", "coroutine", "deferred", "inline", "untold"), fast)
    streams = start(serve, module, SHAPES, **shapes, generator="", steps="")
    streams.expect("plain", [1, False])
    streams.expect("coroutine", [2, True])
    streams.expect("deferred", [3, True])
    streams.expect("inline", [4, True])
    streams.expect("untold", [False, True, True])
    streams.expect("generator", False)
    streams.expect("steps", True)
    assert streams.history("generator") == [1, 2, False]
    assert streams.history("steps") == [1, 2, True]
    expected = {name: about.get("expect") for name, about in streams.all().items()}
    assert expected["generator"] is expected["steps"] is None
    assert expected["plain"] == pytest.approx(0.15)


@in_thread
def test_the_generator_of_the_manual(serve: Serve, module: str) -> None:
    text = "def count():\n    n = 0\n    while True:\n        time.sleep(1); n += 1; yield n\n"
    streams = start(serve, module, text, count="")
    wait_until(lambda: streams.history("count")[:2] == [1, 2])


@in_thread
def test_an_object_is_a_stream_a_member(serve: Serve, module: str) -> None:
    text = "def depth():\n    return {'in': 1, 'out': None}\n"
    streams = start(serve, module, text, depth="")
    streams.expect("depth.in", 1)
    assert streams.all()["depth.in"]["expect"] == 15


BLOCKING = """
running = most = 0
def once():
    global n, running, most
    running += 1
    most = max(most, running)
    n += 1
    if n > 1:
        time.sleep(60)
    running -= 1
    return n
def first():
    time.sleep(60)
def peak():
    return [n, most]
"""


@in_thread
def test_a_function_that_blocks_delays_no_other_source(serve: Serve, module: str) -> None:
    fast = 'every = "100ms"'
    served = serve
    streams = start(served, module, BLOCKING, once=fast, first=fast, peak=fast)
    streams.expect("once", 1)
    assert streams.expect_health("first", "failed") == "the function has not returned for 0.3 s"
    assert streams.expect_health("once", "failed") == "the function has not returned for 0.3 s"
    before = streams.value("other")
    wait_until(lambda: streams.value("other") != before)
    wait_until(lambda: streams.health("peak") == ("fresh", None))
    streams.expect("peak", [2, 1])
    assert streams.value("once") == 1


BAD = """
def raises():
    global n
    n += 1
    if n < 3: raise ValueError("s3cret")
    return n
def leaves():
    raise SystemExit(3)
def nan():
    return float("nan")
def members():
    return {"good": 1, "bad": {1, 2}}
def large():
    return "x" * 2**20
def ends():
    yield 1
def breaks():
    yield 1
    raise KeyError
def fit():
    from streamd.plugin import SourceError
    raise SourceError("the till is locked")
"""


@in_thread
def test_errors_are_shown(serve: Serve, module: str, logged_errors: LoggedErrors) -> None:
    names = ("raises", "leaves", "nan", "members", "large", "ends", "breaks", "fit")
    streams = start(serve, module, BAD, **dict.fromkeys(names, 'every = "500ms"'))
    for name, error in {
        "raises": "the source failed (ValueError), see the log",
        "leaves": "the source failed (SystemExit), see the log",
        "nan": "the value cannot be JSON: Out of range float values are not JSON compliant",
        "members": "members.bad: the value cannot be JSON: set is no value",
        "large": "a value may have 64 KiB of JSON text",
        "ends": "the generator ended",
        "breaks": "the source failed (KeyError), see the log",
        "fit": "the till is locked",
    }.items():
        told = streams.expect_health(name, "failed")
        assert error in (told or ""), name
    assert streams.value("members.good") == 1
    assert streams.health("members.good") == ("fresh", None)
    assert streams.value("ends") == 1
    assert streams.health("other") == ("fresh", None)
    streams.expect_health("raises", "fresh")
    assert streams.value("raises") == 3
    # The generators start over, and end again.
    types = {failure.type for failure in logged_errors.flush(ValueError, SystemExit, KeyError)}
    assert types == {ValueError, SystemExit, KeyError}


LEAKS = """
from streamd.plugin import SourceError
from twisted.python.failure import Failure
SECRET = "s3" + "cret"  # whatever a traceback quotes of this file
ADDRESS = f"postgresql://wall:{SECRET}@db/shop\\x1b[2J\\u202e"

class Odd(Exception):
    def __str__(self):
        return f"no route to {ADDRESS}"

def plain():
    raise OSError(ADDRESS)

def nested():
    raise ValueError({"cause": OSError(ADDRESS)}) from OSError(ADDRESS)

def own():
    raise Odd

def said():
    raise SourceError(f"no route to {ADDRESS}", f"detail: password={SECRET}")

async def waits():
    raise Odd

def value():
    return {"bad": Odd(), ADDRESS: 1}
"""


PLACES = """
import json, os

def raises():
    helper()

def helper():
    raise ValueError("no till")

def library():
    json.loads("{")

async def waits():
    helper()

def folder():
    return [os.path.basename(os.getcwd()), open("till.txt").read()]

async def here():
    return folder()
"""


def test_errors_name_file_and_line_and_functions_run_in_the_folder(
    start_daemon: StartDaemon, tmp_path: Path
) -> None:
    conf = tmp_path / "conf"
    conf.mkdir()
    names = ("raises", "library", "waits", "folder", "here")
    config = "".join(f'[sources.{name}]\ncall = "places.{name}"\n' for name in names)
    (conf / "places.py").write_text(PLACES)
    (conf / "till.txt").write_text("open")
    (conf / "streamd.toml").write_text(config)
    (conf / "bad.py").write_text("import json\njson.loads('{')\n")
    (conf / "bad.toml").write_text('[sources.x]\ncall = "bad.f"')
    checked = run("check", "conf/streamd.toml", folder=tmp_path)
    assert checked.returncode == 1
    lines = checked.stderr.splitlines()
    for name in ("raises", "waits"):
        start = (
            f"streamd: sources.{name}.call: ValueError: no till (places.py, line 8) (streamd.toml"
        )
        assert any(line.startswith(start) for line in lines)
    assert any("sources.library" in line and "(places.py, line 11)" in line for line in lines)
    [line] = complaint("check", "conf/bad.toml", folder=tmp_path)
    assert line.startswith("sources.x.call: bad cannot be imported: JSONDecodeError")
    assert "(bad.py, line 2) (bad.toml, line " in line
    # The daemon's folder is another one; its socket has a relative path, and goes with it.
    daemon = start_daemon("--port", "unix:s.sock", "--config", str(conf / "streamd.toml"))
    daemon.tracebacks_are_expected = True
    streams = Streams(daemon)
    for name in ("folder", "here"):
        streams.expect(name, ["conf", "open"])
        assert '["conf","open"]' in checked.stdout
    assert (daemon.folder / "s.sock").exists()
    assert daemon.stop() == 0
    assert not (daemon.folder / "s.sock").exists()


def test_what_leaves_a_source_has_no_password(start_daemon: StartDaemon, tmp_path: Path) -> None:
    """In the log, for viewers, and in what `streamd check` says; nor does it move a cursor."""
    names = ("plain", "nested", "own", "said", "waits", "value")
    config = "".join(f'[sources.{name}]\ncall = "leaks.{name}"\n' for name in names)
    (tmp_path / "leaks.py").write_text(LEAKS)
    (tmp_path / "streamd.toml").write_text(config)
    daemon = start_daemon("--config", str(tmp_path / "streamd.toml"))
    daemon.tracebacks_are_expected = True
    streams = Streams(daemon)
    for name in names:
        streams.expect_health(name, "failed")
    checked = run("check", folder=tmp_path)
    assert checked.returncode == 1
    for text in (daemon.log(), checked.stdout + checked.stderr):
        assert text.count("postgresql://wall:…@db") >= 4
    answer = daemon.request("GET", "/streams").text
    assert "no route to postgresql://wall:…@db/shop" in answer
    for text in (daemon.log(), checked.stdout + checked.stderr, answer):
        assert "s3cret" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text


@in_thread
def test_one_call_for_any_number_of_viewers(serve: Serve, module: str) -> None:
    text = "def count():\n    global n\n    n += 1\n    return n\n"
    write(module, text)
    served = serve(f'[sources.count]\ncall = "{module}.count"\nevery = "1h"')
    Streams(served).expect("count", 1)
    for _ in range(20):
        with served.connect() as viewer:
            viewer.recv()
    assert Streams(served).value("count") == 1


@in_thread
def test_it_ends_with_the_daemon(serve: Serve, module: str) -> None:
    text = """
def steps():
    try:
        yield 1
        while True:
            time.sleep(0.1)
            yield 2
    finally:
        open("closed", "w").close()
async def waits():
    from twisted.internet.defer import Deferred
    try:
        await Deferred()
    finally:
        open("cancelled", "w").close()
async def rests():
    try:
        while True:
            yield 3
    finally:
        open("rested", "w").close()
def stuck():
    time.sleep(60)
"""
    write(module, text)
    tables = "".join(f'[sources.{n}]\ncall = "{module}.{n}"\n' for n in ("steps", "waits", "stuck"))
    served = serve(tables + f'[sources.rests]\ncall = "{module}.rests"\nevery = "1h"\n')
    Streams(served).expect("steps", 2)
    Streams(served).expect("rests", 3)
    began = time.monotonic()
    for source, _ in served.service.sources:
        served.run(source.stop)
    wait_until(Path("closed").exists)
    assert Path("cancelled").exists()
    assert Path("rested").exists()
    assert time.monotonic() - began < 30, "it waited for the one that is stuck"


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("no_such_module.f", "there is no module no_such_module"),
        ("{m}.nothing", "{m} ({f}) has no function nothing"),
        ("{m}.n", "{m} ({f}) has no function n"),
        ("{m}.deep.f", "there is no module {m}.deep"),
        ("{m}_wrong.f", "{m}_wrong cannot be imported: SyntaxError: "),
        ("{m}_raises.f", "{m}_raises cannot be imported: ValueError: one"),
        ("{m}_needs.f", "there is no module no_such_module"),
        ("f", "expected a module and its function, such as "),
        ("a.b c", "expected a module and its function, such as "),
    ],
)
def test_mistakes(module: str, call: str, problem: str) -> None:
    write(module, "")
    write(f"{module}_wrong", "def f(:")
    write(f"{module}_raises", "raise ValueError('one\\ntwo')")
    write(f"{module}_needs", "import no_such_module")
    table = f'[sources.queue]\ncall = "{call.format(m=module)}"'
    line = mistake(table)
    file = Path(f"{module}.py").absolute()
    assert line.startswith("sources.queue.call: " + problem.format(m=module, f=file))
    assert "\n" not in line
