"""What the commands print, and where."""

from __future__ import annotations

import pytest

from streamd.app.cli.output import answer, fail, note, warn


def test_answers_do_not_mix_with_notes(capsys: pytest.CaptureFixture[str]) -> None:
    answer("42")
    note("http://localhost:5000/")
    warn("the port is busy")
    assert capsys.readouterr() == ("42\n", "http://localhost:5000/\nstreamd: the port is busy\n")


def test_failure_has_a_line_for_each_problem(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        fail(["one", "two"])
    assert end.value.code == 1
    assert capsys.readouterr() == ("", "streamd: one\nstreamd: two\n")


def test_nothing_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    answer('shop "\x9b2J\u202e\x7f\ud800"\nforged')
    warn("no route to redis://u:s3cret@h\x1b[2J\nforged")
    assert capsys.readouterr() == (
        'shop "\\u009b2J\\u202e\\u007f\\ud800"\\u000aforged\n',
        "streamd: no route to redis://u:…@h\\u001b[2J\\u000aforged\n",
    )
