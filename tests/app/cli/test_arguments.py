"""The options that several commands share."""

from __future__ import annotations

import argparse

import pytest

from streamd.app.cli.arguments import URL, add_url, command, remote_daemon


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_url(command(parser.add_subparsers(), "look", print, "Look"))
    return parser.parse_args(["look", *words])


def test_a_command_knows_its_function() -> None:
    assert parsed().run is print


def test_daemon_of_the_option_of_the_environment_or_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("STREAMD_URL", raising=False)
    monkeypatch.delenv("STREAMD_TOKEN", raising=False)
    assert remote_daemon(parsed()) == (URL, "")
    monkeypatch.setenv("STREAMD_URL", "http://wall:5000")
    monkeypatch.setenv("STREAMD_TOKEN", " secret\n")
    assert remote_daemon(parsed()) == ("http://wall:5000", "secret")
    assert remote_daemon(parsed("--url", "http://hall")) == ("http://hall", "secret")
