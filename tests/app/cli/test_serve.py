"""`streamd serve`: the daemon without twistd's command line."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from streamd import __version__
from tests.support.net import free_port, request, wait_until
from tests.support.shell import run, started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_as_twistd_does(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "streamd.toml").write_text("[streams.a]\ntitle = 'A'")
    port = free_port()
    words = ("serve", "--port", f"tcp:{port}:interface=127.0.0.1", "-c", "streamd.toml", "--demo")
    with started(*words, folder=tmp_path) as (process, said):
        wait_until(lambda: f"the wall is at http://localhost:{port}/\n" in said())
        wait_until(lambda: request(port, "GET", "/state").json())  # of --demo
        process.send_signal(number)
        assert process.wait(20) == (0 if number == signal.SIGTERM else -signal.SIGINT)
        assert "Traceback" not in said()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["said.txt", "streamd.toml"]


def test_says_what_is_wrong_with_its_options(tmp_path: Path) -> None:
    (tmp_path / "streamd.toml").write_text("colour = 1")
    for words, line in {
        ("--prot", "5000"): "option --prot not recognized; --help lists the options",
        ("--port", "99999"): "port: expected 0 to 65535, not 99999",
        ("-c", "streamd.toml"): "colour: unknown; there are access, alerts, hooks, "
        "influx, journal, log, screens, server, sources, streams, walls (streamd.toml, line 1)",
    }.items():
        done = run("serve", *words, folder=tmp_path)
        assert (done.returncode, done.stderr) == (1, f"streamd: {line}\n")


def test_help_and_version_are_those_of_this_command(tmp_path: Path) -> None:
    said = run("serve", "--help", folder=tmp_path).stdout
    assert said.startswith("Usage: streamd serve [--port PORT] [--config FILE] [--demo]\n")
    assert "--config" in said
    assert "wist" not in said.replace("Twisted endpoint", "")
    assert run("serve", "--version", folder=tmp_path).stdout == f"streamd {__version__}\n"
