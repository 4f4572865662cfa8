"""The sources and the journal of a daemon whose configuration names none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from streamd.app.defaults import make_journal, source_tables, with_demo
from streamd.config.kind import Surroundings
from streamd.config.parse import parse
from streamd.config.tables import Config
from streamd.journals.memory import MemoryJournal
from streamd.journals.registry import JOURNAL_KINDS
from streamd.journals.sqlite import FILE
from streamd.sources.registry import find_kinds


def read(text: str) -> Config:
    return parse(text, find_kinds(), JOURNAL_KINDS)


def journal(config: Config, base: Path) -> Any:
    return make_journal(config, Surroundings(MemoryReactorClock(), base))


def test_only_a_daemon_without_a_file_has_the_demo_stream() -> None:
    assert list(source_tables(Config())) == ["variable"]
    assert list(source_tables(read(""))) == []


def test_the_demo_takes_nothing_from_a_configuration() -> None:
    text = """
        [sources.demo]
        command = "date"
        [streams.shop.orders]
        title = "Mine"
    """
    config = read(text)
    demo = with_demo(config)
    assert demo.sources["demo"] == config.sources["demo"]
    assert demo.streams["shop.orders"].title == "Mine"
    assert len(demo.streams) > 10


def test_journal_is_in_memory_or_in_the_folder_of_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert isinstance(journal(Config(), tmp_path), MemoryJournal)
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}:/srv/more")
    assert Path(str(journal(Config(), Path("/none"))._path)) == tmp_path / FILE


def test_configured_journal_comes_before_the_folder_of_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    config = read('[journal]\nkind = "memory"')
    assert isinstance(journal(config, tmp_path), MemoryJournal)
