"""The units of systemd, and what `make install` writes.  `make check-systemd` runs them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import CHECKOUT

UNITS = ("streamd.service", "streamd.socket", "streamd@.service", "streamd@.socket")
EXPOSURE = 15
"""1.5: what `systemd-analyze security` may say at most, in tenths."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an installation, without its virtual environment."""
    folder = tmp_path_factory.mktemp("installed")
    install(folder)
    (folder / "opt/streamd/bin").mkdir(parents=True)
    (folder / "opt/streamd/bin/streamd").touch(mode=0o755)
    (folder / "bin").mkdir()
    (folder / "bin/sh").touch(mode=0o755)
    return folder


def install(folder: Path, word: str = "install", **variables: str) -> str:
    """Run systemd/install; return what it says."""
    env = {**os.environ, "DESTDIR": str(folder), "ONLY_UNITS": "1", **variables}
    done = subprocess.run(
        [CHECKOUT / "systemd/install", word],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def analyze(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    assert program, "no systemd here: run tests/install-servers"
    return subprocess.run(
        [program, f"--root={folder}", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", UNITS)
def test_units_are_right(installed: Path, name: str) -> None:
    """systemd ignores a key that it does not know, so a misspelt one would do nothing."""
    for system in (
        "network-online.target",
        "sockets.target",
        "multi-user.target",
        "sysinit.target",
    ):
        (installed / "etc/systemd/system" / system).write_text("[Unit]\nDescription=x\n")
    name = name.replace("@.", "@1.")
    done = analyze(installed, "verify", "--man=no", "--recursive-errors=no", name)
    said = [line for line in done.stderr.splitlines() if "streamd" in line]
    assert (done.returncode, said) == (0, []), done.stderr


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith("service")])
def test_services_may_do_little(installed: Path, name: str) -> None:
    file = installed / "etc/systemd/system" / name
    done = analyze(Path("/"), "security", "--offline=yes", f"--threshold={EXPOSURE}", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def lines(name: str) -> Iterator[str]:
    """The lines of a unit that mean something."""
    for line in (CHECKOUT / "systemd" / name).read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.replace("streamd@%i", "streamd")


def test_instances_differ_from_the_service_only_in_name_port_and_journal() -> None:
    one, many = set(lines("streamd.service")), set(lines("streamd@.service"))
    assert {line.partition("=")[0] for line in one ^ many} == {
        "Description",
        "StateDirectory",
        "StateDirectoryMode",
    }
    assert set(lines("streamd@.socket")) - set(lines("streamd.socket")) == {
        "Description=the port of streamd, instance %i",
        "ReusePort=yes",
    }


@pytest.mark.parametrize(
    ("result", "pause"), [("exit-code", "5\n"), ("signal", ""), ("success", "")]
)
def test_only_a_failed_start_waits(tmp_path: Path, result: str, pause: str) -> None:
    """systemd runs this command when the daemon has ended, before it starts it again."""
    [command] = [line for line in lines("streamd.service") if line.startswith("ExecStopPost=")]
    (tmp_path / "sleep").write_text('#!/bin/sh\necho "$1"\n')
    (tmp_path / "sleep").chmod(0o755)
    done = subprocess.run(
        shlex.split(command.removeprefix("ExecStopPost=")),
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SERVICE_RESULT": result},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == pause


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_configuration_and_secrets_are_never_changed(tmp_path: Path) -> None:
    install(tmp_path)
    secrets = tmp_path / "etc/streamd/secrets"
    assert secrets.stat().st_mode & 0o777 == 0o700
    tokens = {file.name: file.read_text().strip() for file in secrets.iterdir()}
    assert tokens.keys() == {"publish", "admin"}
    assert all(re.fullmatch("[0-9a-f]{32}", token) for token in tokens.values())
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in secrets.iterdir())
    (tmp_path / "etc/streamd/streamd.toml").write_text("# mine\n")
    (secrets / "admin").unlink()
    before = contents(tmp_path)
    install(tmp_path)
    assert contents(tmp_path) == before
    said = install(tmp_path, "uninstall")
    assert contents(tmp_path) == {
        name: text for name, text in before.items() if name.startswith("etc/streamd/")
    }
    assert "/etc/streamd and /var/lib/streamd stay" in said


def test_two_installations_share_nothing(tmp_path: Path) -> None:
    install(tmp_path)
    first = contents(tmp_path)
    install(tmp_path, NAME="wall-test", PORT="5001")
    both = contents(tmp_path)
    assert {name: both[name] for name in first} == first
    others = {name: text for name, text in both.items() if name not in first}
    assert all("wall-test" in name for name in others)
    service = others["etc/systemd/system/wall-test.service"]
    assert "ExecStart=/opt/wall-test/bin/streamd serve --config /etc/wall-test/streamd" in service
    assert "Requires=wall-test.socket" in service
    assert "StateDirectory=wall-test" in service
    assert "LoadCredential=secrets:/etc/wall-test/secrets" in service
    assert not re.search(r"(/opt|/etc)/streamd\b", "".join(others.values()))
    assert "\nListenStream=5001\n" in others["etc/systemd/system/wall-test.socket"]
    assert "wall-test@%i.socket" in others["etc/systemd/system/wall-test@.service"]
    install(tmp_path, "uninstall", NAME="wall-test")
    assert contents(tmp_path).keys() >= first.keys()


def test_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/mine").write_text("mine")
    env = {**os.environ, "DESTDIR": str(tmp_path), "PREFIX": "/srv"}
    done = subprocess.run(
        [CHECKOUT / "systemd/install", "install"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.endswith("/srv exists, and is no virtual environment\n")
    install(tmp_path, "uninstall", PREFIX="/srv")
    assert (tmp_path / "srv/mine").read_text() == "mine"


@pytest.mark.parametrize("variables", [{"NAME": "../x"}, {"NAME": ""}, {"PREFIX": "opt"}])
def test_wrong_variables_are_refused(tmp_path: Path, variables: dict[str, str]) -> None:
    env = {**os.environ, "DESTDIR": str(tmp_path), "ONLY_UNITS": "1", **variables}
    done = subprocess.run(
        [CHECKOUT / "systemd/install", "install"], env=env, capture_output=True, text=True
    )
    if variables == {"NAME": ""}:  # as if it were not set
        assert done.returncode == 0
        return
    [name] = variables
    assert done.returncode == 1
    assert done.stderr.startswith(f"streamd: {name}: expected ")
    assert contents(tmp_path) == {}
