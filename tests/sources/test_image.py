"""Picture files as streams, and the pictures themselves over HTTP."""

from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.net import Answer, wait_until
from tests.support.pictures import SVG, png
from tests.support.served import Serve, Served, in_thread
from tests.support.streams import Streams, mistake

SOURCE = '[sources.plan]\nimage = "plan.png"\nevery = "50ms"\n'


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The picture file of the source, below the folder of the configuration."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "plan.png"
    file.write_bytes(png())
    return file


def replace(file: Path, body: bytes) -> None:
    """Replaces a file in one step."""
    other = file.with_name("new")
    other.write_bytes(body)
    other.replace(file)


def shown(served: Served, streams: Streams) -> Answer:
    return served.request("GET", "/" + streams.value("plan")["url"])


@in_thread
def test_value_says_where_the_picture_is(serve: Serve, plan: Path) -> None:
    os.utime(plan, (1_700_000_000, 1_700_000_000))
    served = serve(SOURCE)
    streams = Streams(served)
    streams.expect_health("plan", "fresh")
    value = streams.value("plan")
    url = value.pop("url")
    assert url.startswith("pictures/plan?v=")
    size = len(plan.read_bytes())
    assert value == {"type": "image/png", "size": size, "written": "2023-11-14T22:13:20Z"}
    assert streams.all()["plan"]["time"] == 1_700_000_000
    answer = shown(served, streams)
    assert (answer.status, answer.body) == (200, plan.read_bytes())


@in_thread
def test_other_picture_is_another_value(serve: Serve, plan: Path) -> None:
    served = serve(SOURCE)
    streams = Streams(served)
    streams.expect_health("plan", "fresh")
    before = streams.value("plan")["url"]
    replace(plan, SVG)
    size = len(SVG)
    wait_until(lambda: streams.value("plan")["size"] == size)
    assert shown(served, streams).body == SVG
    assert served.request("GET", f"/{before}").status == 404


@in_thread
def test_file_that_goes_fails_and_comes_back(serve: Serve, plan: Path) -> None:
    streams = Streams(serve(SOURCE))
    streams.expect_health("plan", "fresh")
    plan.rename("away")
    error = streams.expect_health("plan", "failed")
    assert error == "plan.png cannot be read: No such file or directory"
    Path("away").rename(plan)
    streams.expect_health("plan", "fresh")
    plan.write_text("[access]")
    assert streams.expect_health("plan", "failed") == "plan.png is no PNG, JPEG, WebP or SVG"


@in_thread
def test_picture_that_is_not_renewed_is_late(serve: Serve, plan: Path) -> None:
    os.utime(plan, (time.time() - 3600, time.time() - 3600))
    place = '[server]\ntimezone = "Asia/Tokyo"\n'
    streams = Streams(serve(f'{SOURCE}max_age = "1m"\n{place}'))
    error = streams.expect_health("plan", "late")
    written = datetime.fromtimestamp(plan.stat().st_mtime, ZoneInfo("Asia/Tokyo"))
    assert error == f"no newer picture since {written:%H:%M}"
    assert streams.value("plan")["type"] == "image/png"
    replace(plan, png(grey=9))
    streams.expect_health("plan", "fresh")


def test_mistakes() -> None:
    line = mistake('[sources.plan]\nimage = "../plan.png"')
    assert line.startswith("sources.plan.image: expected a file below the folder")
    assert mistake('[sources.plan]\nimage = "a.png"\nmax_age = 5').startswith(
        "sources.plan.max_age"
    )
