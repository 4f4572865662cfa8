"""Messages to the addresses of apprise; its own kind json: has a real server here."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from streamd.config.fields import ConfigError
from streamd.config.kind import Surroundings
from streamd.sources.alerts import apprise_sender
from streamd.sources.alerts.apprise_sender import (
    ANSWER_WITHIN,
    EXAMPLES,
    AppriseSender,
    make_apprise_sender,
)
from streamd.sources.alerts.message import compose_test
from streamd.sources.errors import SourceError
from tests.support.receiver import Receiver, receiving

MESSAGE = compose_test("shop", "t1", 0.0, "https://wall.example.org/")


def surroundings() -> Surroundings:
    from twisted.internet import reactor

    return Surroundings(reactor, Path())


def address(receiver: Receiver) -> str:
    return receiver.url.replace("http:", "json:")


async def test_message_arrives() -> None:
    with receiving() as receiver:
        sender = make_apprise_sender("alerts.shop.to[0]", address(receiver), surroundings())
        await sender.send(MESSAGE)
        [got] = receiver.messages
        assert got["title"] == "a test of the alert shop"
        assert got["message"].endswith("\nhttps://wall.example.org/")
        sender.stop()


async def test_refused_message_tells_nothing_of_the_address(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with receiving() as receiver:
        receiver.decide = lambda message: (500, {})
        sender = make_apprise_sender("alerts.shop.to[0]", address(receiver), surroundings())
        with pytest.raises(SourceError) as caught:
            await sender.send(MESSAGE)
        assert caught.value.message == "the service did not take the message"
        sender.stop()
    said = capfd.readouterr()
    assert "s3cret" not in said.out + said.err


class Sender:
    """Blocks, or raises."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.error: Exception | None = None

    def notify(self, **said: Any) -> bool:
        self.may_end.wait(20)
        if self.error is not None:
            raise self.error
        return True


async def test_exception_tells_nothing_of_the_address() -> None:
    sender = Sender()
    sender.error = ValueError("mailto://user:s3cret@host")
    sender.may_end.set()
    made = AppriseSender(sender, surroundings())
    with pytest.raises(SourceError) as caught:
        await made.send(MESSAGE)
    assert caught.value.message == "the delivery failed (ValueError)"
    made.stop()


class _Reactor(Clock):
    """A clock of the test, and the thread of the real reactor."""

    def callFromThread(self, call: Any, *arguments: Any) -> None:
        from twisted.internet import reactor

        reactor.callFromThread(call, *arguments)  # type: ignore[attr-defined]


async def test_service_that_hangs_has_one_call() -> None:
    clock, sender = _Reactor(), Sender()
    made = AppriseSender(sender, Surroundings(clock, Path()))
    first = made.send(MESSAGE)
    clock.advance(ANSWER_WITHIN + 1)
    with pytest.raises(SourceError, match="no answer within 60 s"):
        await first
    with pytest.raises(SourceError, match="an earlier attempt has not ended yet"):
        await made.send(MESSAGE)
    sender.may_end.set()
    while made._calling:
        await _turn()
    await made.send(MESSAGE)
    made.stop()


async def _turn() -> None:
    from twisted.internet import reactor
    from twisted.internet.task import deferLater

    await deferLater(reactor, 0.01)


def test_unknown_address() -> None:
    with pytest.raises(ConfigError) as caught:
        make_apprise_sender("alerts.shop.to[0]", "nothing://s3cret", surroundings())
    [line] = caught.value.problems
    assert line.startswith("alerts.shop.to[0]: expected an address that apprise knows")
    assert "s3cret" not in line


def test_what_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """To install apprise would not help."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError) as caught:
        make_apprise_sender("alerts.shop.to[0]", "slack-channel", surroundings())
    [line] = caught.value.problems
    assert line.startswith("alerts.shop.to[0]: expected an address such as")


@pytest.mark.parametrize("address", re.findall('"(.+?)"', EXAMPLES))
def test_apprise_knows_the_addresses_that_the_error_names(address: str) -> None:
    make_apprise_sender("alerts.shop.to[0]", address, surroundings())


def test_without_apprise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match=r'needs apprise: run pip install "\.\[alerts\]"'):
        apprise_sender.make_apprise_sender("alerts.shop.to[0]", "json://host", surroundings())
