"""What all proofs share: claims and figures, the daemon that they are about, and its memory."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from streamd.app.ports import BACKLOG
from streamd.app.process import allow_files
from tests.support.daemon import TWISTD, Server
from tests.support.net import free_port

KIB = 1024
MIB = 1024 * 1024

NO_SOURCES = '[access]\npublish = "loopback"\n'
"""A configuration in which nothing happens by itself, and any program here may publish."""


class Proof:
    """Prints claims and measurements, and collects the claims that do not hold.

    :ivar patience: by which limits of time are multiplied. A script holds to them; a test runs where
        others run too, and times say something about the machine there.
    """

    def __init__(self, patience: float = 1.0) -> None:
        self.failures: list[str] = []
        self.patience = patience

    def figure(self, text: str) -> None:
        """Prints a measurement."""
        print(f"       {text}", flush=True)

    def claim(self, holds: bool, text: str) -> None:
        """Prints a claim, and keeps it if it does not hold.

        :param text: has the measured figure in it.
        """
        print(f"{'ok' if holds else 'FAILED':<6} {text}", flush=True)
        if not holds:
            self.failures.append(text)

    def claim_times(self, seconds: Sequence[float], most: float, what: str) -> None:
        """Claims that the longest of these times is at most this many seconds, times the patience."""
        self.claim(
            max(seconds, default=0.0) <= most * self.patience,
            f"{what}: {spread(seconds)}; at most {most:g} s",
        )

    def claim_memory(self, more: int, most: int, when: str) -> None:
        """Claims that the daemon took at most this many bytes more."""
        self.claim(
            more <= most, f"{more / MIB:.1f} MiB more memory {when}; at most {most / MIB:.1f}"
        )


def main(prove: Callable[[Proof], None]) -> NoReturn:
    """Runs a proof as a script: exit status 1 if a claim does not hold."""
    proof = Proof()
    prove(proof)
    for failure in proof.failures:
        print(f"does not hold: {failure}")
    sys.exit(1 if proof.failures else 0)


class Daemon(Server):
    """The installed daemon on a port of 127.0.0.1, with the backlog that it has by default."""

    _good_ends = (0,)

    def __init__(
        self, folder: Path, *arguments: str, config: str | None, env: Mapping[str, str] | None
    ) -> None:
        port = free_port()
        command: list[str | Path] = [TWISTD, "-n", "--pidfile=", "streamd", *arguments]
        command += ["--port", f"tcp:{port}:interface=127.0.0.1:backlog={BACKLOG}"]
        if config is not None:
            (folder / "streamd.toml").write_text(config)
            command += ["--config", "streamd.toml"]
        super().__init__(command, port, folder, env)

    def tell(self, number: signal.Signals) -> None:
        """Sends a signal that may end the daemon."""
        assert self._process is not None, "not started"
        self._told_to_end = True
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int | None:
        """Returns the exit status; kills the daemon and returns None after this many seconds."""
        assert self._process is not None, "not started"
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


@contextmanager
def running(
    *arguments: str, config: str | None = NO_SOURCES, env: Mapping[str, str] | None = None
) -> Iterator[Daemon]:
    """Runs a daemon while the block runs; AssertionError for a bad end, or a traceback."""
    allow_files()  # each viewer is one here, too
    with tempfile.TemporaryDirectory(prefix="streamd-check-") as folder:
        daemon = Daemon(Path(folder), *arguments, config=config, env=env)
        daemon.start()
        try:
            yield daemon
        except BaseException:
            if daemon.running:
                daemon.kill()
            raise
        daemon.finish()


def memory(pid: int) -> int:
    """The bytes that a process has in memory now."""
    return _status(pid, "VmRSS")


def peak_memory(pid: int) -> int:
    """The most bytes that it had in memory since `reset_peak`."""
    return _status(pid, "VmHWM")


def reset_peak(pid: int) -> int:
    """Begins to look for the peak anew; returns the memory of now. See proc(5), clear_refs."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return memory(pid)


def settled(pid: int, bound: int, patience: float) -> int:
    """The memory of a process once it is within `bound`, or when `patience` seconds are over."""
    deadline = time.monotonic() + patience
    while (now := memory(pid)) > bound and time.monotonic() < deadline:
        time.sleep(0.2)
    return now


def _status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * KIB
    raise KeyError(field)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least this many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(seconds: Sequence[float]) -> str:
    """Times for people: "p50 3 ms, p99 12 ms, worst 20 ms of 400"."""
    if not seconds:
        return "none measured"
    p50, p99 = percentile(seconds, 50) * 1000, percentile(seconds, 99) * 1000
    return (
        f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {max(seconds) * 1000:.0f} ms of {len(seconds)}"
    )
