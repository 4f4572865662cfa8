"""`streamd publish`."""

from __future__ import annotations

from pathlib import Path

from tests.support.daemon import Daemon, StartDaemon
from tests.support.shell import complaint, run


def test_publish(daemon: Daemon, tmp_path: Path) -> None:
    values = [
        ("a", "42", 42),
        ("b", "out of paper", "out of paper"),
        ("c", '{"x": [1]}', {"x": [1]}),
    ]
    for name, said, _ in [*values, ("d", "-7", 0)]:
        done = run("publish", name, said, folder=tmp_path, STREAMD_URL=daemon.url)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    state = daemon.request("GET", "/state").json()
    assert {name: state[name] for name, _, _ in values} == {
        name: value for name, _, value in values
    }
    assert state["d"] == -7


def test_publish_from_standard_input(daemon: Daemon, tmp_path: Path) -> None:
    run("publish", "a", "-", "--url", f"{daemon.url}/", folder=tmp_path, stdin="two\nlines\n")
    assert daemon.request("GET", "/state").json()["a"] == "two\nlines"


def test_publish_with_a_token(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config='[access]\npublish = ["let-me-in-please"]')
    words = ("publish", "a", "1", "--url", daemon.url)
    assert run(*words, folder=tmp_path, STREAMD_TOKEN="let-me-in-please\n").returncode == 0
    [line] = complaint(*words, folder=tmp_path)
    assert "token" in line
    for wrong in ("guessed-wrong", "naïve-wrong", "two\nlines-wrong"):
        [line] = complaint(*words, folder=tmp_path, STREAMD_TOKEN=wrong)
        assert "token" in line
        assert "wrong" not in line


def test_publish_names_each_mistake(daemon: Daemon, tmp_path: Path) -> None:
    at = {"STREAMD_URL": daemon.url}
    [line] = complaint("publish", "bad name", "1", folder=tmp_path, **at)
    assert '"bad name" is not a name' in line
    [line] = complaint("publish", "a", "NaN", folder=tmp_path, **at)
    assert "the value is not JSON" in line
    [line] = complaint("publish", "a", "", folder=tmp_path, **at)
    assert "the body is empty" in line
