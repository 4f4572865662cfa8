"""A real systemd as process 1 of new namespaces, over a throw-away overlay of this machine's root.

It needs root, and the programs unshare and nsenter.  The network is that of this machine, so that
clients connect from outside.  Everything else is its own: processes, files, control groups.  What the
machine writes is gone when it stops.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.support.net import wait_until

SCRIPT = Path(__file__).with_name("machine.sh")
CGROUPS = Path("/sys/fs/cgroup")


def why_not() -> str | None:
    """Why no machine can be started here; None if it can."""
    if os.geteuid() != 0:
        return "only root can start a systemd of its own"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    return None


class Machine:
    """A machine that runs systemd, with files of its own."""

    def __init__(self, folder: Path, seed: Path) -> None:
        """:param folder: an empty folder that the machine uses while it runs.

        :param seed: holds files that the machine has in addition to those of this machine.
        """
        self._folder, self._seed = folder, seed
        self._outer: subprocess.Popen[bytes] | None = None
        self.pid = 0  # of its systemd, as this machine sees it

    def __enter__(self) -> Machine:
        self._groups = [path / f"streamd-check-{os.getpid()}" for path in _hierarchies()]
        for group in self._groups:
            group.mkdir()
            _inherit_cpuset(group)
        try:
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _boot(self) -> None:
        space = ("--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "--kill-child")
        with (self._folder.parent / "console.log").open("wb") as log:
            self._outer = subprocess.Popen(
                ["unshare", *space, SCRIPT, self._folder, self._seed],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self._enter_groups,
            )
        self.pid = wait_until(self._find, 60, "systemd")
        wait_until(
            lambda: self.run("systemctl", "is-active", "bare.target") == "active", 60, "boot"
        )

    def _enter_groups(self) -> None:
        for group in self._groups:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    def _find(self) -> int:
        assert self._outer is not None
        assert self._outer.poll() is None, (self._folder.parent / "console.log").read_text()
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text()
        found = [
            int(pid)
            for pid in children.split()
            if Path(f"/proc/{pid}/comm").read_text() == "systemd\n"
        ]
        return found[0] if found else 0

    def run(self, *command: str | Path, seconds: float = 120) -> str:
        """Run a command in the machine; return its output without the last line break."""
        return self.attempt(*command, seconds=seconds).stdout.strip()

    def attempt(
        self, *command: str | Path, seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine, whatever its status is."""
        return subprocess.run(
            [
                "nsenter",
                "-t",
                str(self.pid),
                "-m",
                "-p",
                "-u",
                "-i",
                "-C",
                "-r",
                "-w",
                "--",
                *command,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )

    def write(self, path: str, text: str) -> None:
        """Write a file of the machine."""
        Path(f"/proc/{self.pid}/root{path}").write_text(text)

    def read(self, path: str) -> str:
        """Read a file of the machine."""
        return Path(f"/proc/{self.pid}/root{path}").read_text()

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit)

    def main_pid(self, unit: str) -> int:
        """The process of a service as this machine sees it; 0 if it does not run."""
        inner = self.show(unit, "MainPID")
        if inner in ("", "0"):
            return 0
        for file in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):
                if f"\nNSpid:\t{file.parent.name}\t{inner}\n" in file.read_text():
                    return int(file.parent.name)
        return 0

    def __exit__(self, *_: object) -> None:
        if self._outer is not None:
            if self.pid:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGRTMIN + 4)  # systemd(1): power off
            with suppress(subprocess.TimeoutExpired):
                self._outer.wait(20)
            self._outer.kill()  # --kill-child ends all that is left
            self._outer.wait()
        for group in self._groups:
            for path in sorted(group.rglob("*/"), reverse=True):
                with suppress(OSError):
                    path.rmdir()
            with suppress(OSError):
                group.rmdir()


def _hierarchies() -> list[Path]:
    """The control group hierarchies of this machine: one with version 2, several with version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [path for path in CGROUPS.iterdir() if (path / "cgroup.procs").exists()]


def _inherit_cpuset(group: Path) -> None:
    """Allow the processors of the parent: with version 1 a new group has none."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (group / name).exists() and (group.parent / name).exists():
            (group / name).write_text((group.parent / name).read_text())
