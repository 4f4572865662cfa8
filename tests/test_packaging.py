"""What is built is complete; what is installed runs: a wheel or a checkout, from any directory."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from configparser import ConfigParser
from pathlib import Path

import pytest

from streamd.app.ports import BACKLOG
from tests.support.daemon import CHECKOUT, TWISTD, Daemon, Server, finish_all
from tests.support.net import free_port, request

# What a source distribution has to hold for a packager to build, test and document from it.
SOURCES = [
    "CHANGELOG.rst",
    "CONTRIBUTING.rst",
    "LICENSE",
    "Makefile",
    "README.rst",
    "docs/architecture.rst",
    "examples/bare.html",
    "examples/bare.py",
    "pyproject.toml",
    "setup.py",
    "streamd.tac",
    "streamd/app/tap.py",
    "systemd/install",
    "systemd/streamd.service",
    "systemd/streamd.socket",
    "systemd/streamd.toml",
    "systemd/streamd@.service",
    "systemd/streamd@.socket",
    "tests/conftest.py",
    "tests/install-servers",
    "tests/support/daemon.py",
    "tests/test_packaging.py",
    "twisted/plugins/streamd_plugin.py",
    "web/index.html",
]


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Runs a command to its end and returns what it said; AssertionError if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def python_files(root: Path) -> set[str]:
    """The modules and plugins of a tree that are to be installed."""
    files = [*(root / "streamd").rglob("*.py"), *(root / "twisted").rglob("*.py")]
    return {file.relative_to(root).as_posix() for file in files}


def page_files(root: Path) -> set[str]:
    files = [file for file in (root / "web").rglob("*") if file.is_file()]
    return {file.relative_to(root).as_posix() for file in files}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist of this checkout, and the wheel that is built from that sdist alone."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, cwd=CHECKOUT)
    [sdist] = out.glob("*.tar.gz")
    [wheel] = out.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a fresh environment with the wheel, and what the wheel asks for."""
    environment = tmp_path_factory.mktemp("fresh") / "env"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=CHECKOUT)
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin/python")
    run(*pip, "install", "--quiet", "--no-compile", built[1], cwd=environment)
    return environment / "bin"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A directory that has nothing to do with the checkout."""
    return tmp_path


def assert_serves_page(server: Server) -> None:
    """Starts it, sees the page, and ends it."""
    server.start()
    try:
        answer = request(server.port, "GET", "/")
        assert answer.status == 200
        page = re.sub('name="build" content="[0-9a-f]{16}"', 'name="build" content=""', answer.text)
        web = CHECKOUT / "web"
        first = f"<script>{(web / 'boot.js').read_text()}</script>"
        index = (web / "index.html").read_text().replace('<script src="boot.js"></script>', first)
        before, after = re.split("<!-- .* -->", index)
        assert first in before
        assert page.startswith(before)
        assert page.endswith(after)
        assert 'href="kinds/registry.js"' in page
    finally:
        finish_all([server])


def test_sdist_is_complete(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {*SOURCES, *python_files(CHECKOUT), *page_files(CHECKOUT)}
    assert not wanted - held
    # Nor what Python is just writing there, which may be gone before it is packed.
    assert not [name for name in held if ".pyc" in name or name.endswith("dropin.cache")]


def test_wheel_is_complete_and_has_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        names = archive.namelist()
    page = {f"streamd/{name}" for name in page_files(CHECKOUT)}
    assert held == python_files(CHECKOUT) | page | {"streamd/journals/redis.lua"}
    assert [name for name in names if name.endswith("LICENSE")]
    # It would hide or overwrite Twisted's own.
    assert "twisted/__init__.py" not in names
    assert "twisted/plugins/__init__.py" not in names


def test_distribution_has_a_name_of_its_own(built: tuple[Path, Path]) -> None:
    """On the package index, streamd is another project."""
    assert [file.name.partition("-0")[0] for file in built] == ["streamd_wall", "streamd_wall"]


def test_wheel_in_a_fresh_environment(installed: Path, elsewhere: Path) -> None:
    daemon = Daemon(elsewhere, twistd=installed / "twistd")
    assert_serves_page(daemon)


def test_unit_and_configuration_of_systemd(installed: Path, elsewhere: Path) -> None:
    """tests/docs/test_systemd.py is about the rest of the units."""
    parsed = ConfigParser(interpolation=None, strict=False)
    parsed.read(CHECKOUT / "systemd/streamd.service")
    assert float(parsed["Service"]["TimeoutStopSec"]) > 5  # what a stop may take
    command = parsed["Service"]["ExecStart"].replace("/opt/streamd/bin/", f"{installed}/")
    config = CHECKOUT / "systemd/streamd.toml"
    command = command.replace("/etc/streamd/streamd.toml", str(config))
    (secrets := elsewhere / "secrets").mkdir()
    for name in ("publish", "admin"):
        (secrets / f"secrets_{name}").write_text(f"a {name} token of enough characters\n")
    port = free_port()
    words = [*shlex.split(command), "--port", str(port)]
    env = {"CREDENTIALS_DIRECTORY": str(secrets)}
    assert_serves_page(Server(words, port, elsewhere, env))


def test_sockets_of_systemd_have_the_backlog_of_the_daemon() -> None:
    for name in ("streamd.socket", "streamd@.socket"):
        parsed = ConfigParser(interpolation=None)
        parsed.read(CHECKOUT / "systemd" / name)
        assert int(parsed["Socket"]["Backlog"]) == BACKLOG


def test_editable_install_from_any_directory(elsewhere: Path) -> None:
    assert "streamd" in words_at_line_starts(run(TWISTD, "--help", cwd=elsewhere))
    assert_serves_page(Daemon(elsewhere))


def test_tac_from_a_checkout_without_an_install(
    installed: Path, elsewhere: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The .tac runs its own directory's streamd, on port 5000: here it is asked what it made."""
    script = """
import sys
from twisted.application import app, service
application = app.getApplication({"nodaemon": True, "no_save": True, "rundir": ".",
    "python": sys.argv[1], "file": "", "source": "", "encrypted": False}, None)
import streamd
assert streamd.__file__.startswith(sys.argv[2]), streamd.__file__
assert service.IService(application).name == "streamd"
assert list(service.IServiceCollection(application)), "it holds no service"
"""
    run(installed / "python", "-c", script, CHECKOUT / "streamd.tac", CHECKOUT, cwd=elsewhere)


def words_at_line_starts(text: str) -> Sequence[str]:
    return [line.split()[0] for line in text.splitlines() if line.strip()]


PIP = """#!/bin/sh
echo "Obtaining file:///somewhere"
echo "Collecting twisted>=24.3 (from streamd==0.2)"
echo "  Using cached twisted.whl (3 MB)"
echo "Collecting zope.interface"
echo "Installing collected packages: zope.interface, twisted"
echo "ERROR: no room" >&2
exit $STATUS
"""


@pytest.mark.parametrize("status", [0, 7])
def test_installation_tells_its_steps(tmp_path: Path, status: int) -> None:
    """A first `make run` takes minutes on a slow machine."""
    for name in ("Makefile", "pyproject.toml", "setup.py"):
        (tmp_path / name).write_text((CHECKOUT / name).read_text())
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, text in {"python": "#!/bin/sh\n", "pip": PIP, "twistd": "#!/bin/sh\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "STATUS": str(status)}
    command = ["make", "run"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    told = done.stdout.splitlines()
    assert told[:4] == [
        "installing streamd into .venv; this takes a minute or more:",
        "  getting twisted",
        "  getting zope.interface",
        "  installing all of them",
    ]
    assert "ERROR: no room" in done.stderr
    assert (done.returncode, len(told)) == ((0, 5) if status == 0 else (2, 4))
    assert (tmp_path / ".venv" / "run").exists() == (status == 0)
