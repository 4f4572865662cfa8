"""The process around the daemon.  Each test has a process of its own, because they change it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.daemon import STOP_SECONDS, StartDaemon
from tests.support.net import wait_until
from tests.support.shell import run as streamd
from tests.support.streams import Streams


def run(script: str, **options: object) -> subprocess.Popen[str]:
    text = f"from streamd.app.process import *\n{textwrap.dedent(script)}"
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)


def said(script: str) -> list[str]:
    process = run(script)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out.splitlines()


def test_delays_follow_the_monotonic_clock() -> None:
    script = """
        from unittest.mock import patch
        from twisted.internet import reactor
        use_monotonic_time(reactor)
        before = reactor.seconds()
        with patch("time.time", lambda: 0.0):
            print(reactor.seconds() >= before, abs(reactor.seconds() - time.monotonic()) < 1)
    """
    assert said(script) == ["True True"]


def test_every_file_that_the_system_allows_may_be_open() -> None:
    script = """
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard))
        allow_files()
        print(resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard))
    """
    assert said(script) == ["True"]


def test_freed_memory_goes_back_to_the_system() -> None:
    script = """
        import gc
        def resident():
            return int(open("/proc/self/statm").read().split()[1]) * 4096
        lumps = [bytes(60_000) for _ in range(1000)]
        last = bytes(60_000)  # keeps the end of the heap in use
        del lumps
        gc.collect()
        before = resident()
        trim_memory()
        print(before - resident() > 30_000_000)
    """
    assert said(script) == ["True"]


def test_a_full_collection_examines_an_object_once() -> None:
    script = """
        import gc, weakref
        class Node: pass
        old = Node()
        keep_collections_short()
        young = Node()
        def examined(one):
            return any(one is other for other in gc.get_objects())
        print(examined(old), examined(young))
        gc.collect()
        print(examined(young))
        young.cycle, left = young, weakref.ref(young)
        del young
        gc.collect()
        print(left() is None)
        collect_all()
        print(left() is None, gc.get_freeze_count() > 0)
    """
    assert said(script) == ["False True", "False", "False", "True True"]


def test_large_buffers_go_back_when_they_are_freed() -> None:
    script = """
        def resident():
            return int(open("/proc/self/statm").read().split()[1]) * 4096
        free_large_buffers()
        bytes(20_000_000)  # by itself, the C library would then keep all smaller ones in the heap
        before = resident()
        lumps, small = [], []
        for length in range(1000, 1200):
            lumps.append(b"x" * 200_000)
            small.append(b"x" * length)
        del lumps
        print(resident() - before < 10_000_000)
    """
    assert said(script) == ["True"]


@pytest.mark.parametrize("running", [False, True])
def test_sigterm_is_a_success(running: bool) -> None:
    process = run(f"""
        from twisted.internet import reactor
        end_cleanly(reactor)
        reactor.callWhenRunning(print, "ready", flush=True)
        if not {running}:
            print("ready", flush=True)
            time.sleep(60)
        reactor.run()
        print("stopped")
    """)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=STOP_SECONDS)
    assert (process.returncode, out) == (0, "stopped\n" if running else "")


LEFT = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor()

def job():
    time.sleep(1000)

def count():
    pool.submit(job)
    threading.Thread(target=job).start()
    return 1
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_jobs_that_a_function_left_hold_up_no_stop(
    start_daemon: StartDaemon, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "left.py").write_text(LEFT)
    (tmp_path / "streamd.toml").write_text('[sources.a]\ncall = "left.count"\n')
    daemon = start_daemon("--config", str(tmp_path / "streamd.toml"))
    Streams(daemon).expect("a", 1)
    if number == signal.SIGTERM:
        assert daemon.stop() == 0
    else:
        daemon._told_to_end = True
        os.kill(daemon.pid, number)
        wait_until(lambda: not daemon.running)
    assert "Server Shut Down" in daemon.log()
    done = streamd("check", folder=tmp_path)
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["a", "1"])
