"""The sources and the journal of a daemon whose configuration names none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.testing import MemoryReactorClock

from streamd.app.defaults import (
    journal_place,
    machine_timezone,
    make_journal,
    source_tables,
    wall_place,
    with_demo,
)
from streamd.config.kind import Surroundings
from streamd.config.parse import parse
from streamd.config.tables import Config
from streamd.journals.memory import MemoryJournal
from streamd.journals.registry import JOURNAL_KINDS
from streamd.journals.sqlite import FILE
from streamd.sources.alerts.message import compose_test
from streamd.sources.registry import find_kinds


def read(text: str) -> Config:
    return parse(text, find_kinds(), JOURNAL_KINDS)


def journal(config: Config, base: Path) -> Any:
    return make_journal(config, Surroundings(MemoryReactorClock(), base))


def test_only_a_daemon_without_a_file_has_the_demo_stream() -> None:
    assert list(source_tables(Config())) == ["variable"]
    assert list(source_tables(read(""))) == []


def test_an_alert_can_send_and_keep_its_link() -> None:
    text = """
        [server]
        url = "https://Wall.example.org/floor2"
        [alerts.shop]
        streams = ["shop"]
        to = ["http://127.0.0.1:1/"]
    """
    settings: Any = source_tables(read(text))["alerts.shop"].settings
    message = compose_test("shop", "1", 0.0, settings.link)
    assert b'"link":"https://wall.example.org/floor2/"' in msgspec.json.encode(message)


def test_the_place_of_a_journal_in_redis_is_its_address_without_the_password() -> None:
    config = read('[journal]\nurl = "redis://wall:secret@db.example.org:6380/2"')
    assert journal_place(config) == "redis://wall:…@db.example.org:6380/2"


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


@pytest.mark.parametrize(
    ("variable", "file", "zone"),
    [
        ("", "Europe/Berlin", "Europe/Berlin"),
        ("America/New_York", "Europe/Berlin", "America/New_York"),
        (":America/New_York", "Europe/Berlin", "America/New_York"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Europe/Berlin", "Asia/Tokyo"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "Europe/Berlin", None),
        ("", "Etc/UTC", None),
        ("UTC", "Europe/Berlin", None),
    ],
)
def test_timezone_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, file: str, zone: str | None
) -> None:
    monkeypatch.setenv("TZ", variable)
    target = tmp_path / "zoneinfo" / file
    target.parent.mkdir(parents=True)
    target.touch()
    link = tmp_path / "localtime"
    link.symlink_to(target)
    assert machine_timezone(link) == zone


def test_a_machine_whose_timezone_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TZ", raising=False)
    copy = tmp_path / "localtime"
    copy.touch()
    assert machine_timezone(copy) is None
    assert machine_timezone(tmp_path / "none") is None


def test_configured_timezone_comes_before_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    assert wall_place(read("").server) == (None, "America/New_York")
    server = read('[server]\nlanguage = "de"\ntimezone = "UTC"').server
    assert wall_place(server) == ("de", "UTC")
