"""Messages to a real HTTP server."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from streamd.config.fields import ConfigError
from streamd.config.kind import Surroundings
from streamd.sources.alerts.message import compose_test
from streamd.sources.alerts.webhook import MAX_LATER, Unwanted, Webhook, make_webhook
from streamd.sources.errors import SourceError
from streamd.sources.polling import RetryLater
from tests.support.certificate import make_certificate
from tests.support.receiver import Receiver, receiving

MESSAGE = compose_test("shop", "t1", 0.0, None)


def webhook(url: str) -> Webhook:
    from twisted.internet import reactor

    return make_webhook("alerts.shop.to[0]", url, Surroundings(reactor, Path()))


async def fail_with(receiver: Receiver, status: int, **headers: str) -> Any:
    """The error for an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    receiver.decide = lambda message: (status, named)
    with pytest.raises(SourceError) as caught:
        await webhook(receiver.url).send(MESSAGE)
    assert receiver.path not in f"{caught.value.message} {caught.value.detail}"
    return caught.value


async def test_message_arrives() -> None:
    with receiving() as receiver:
        await webhook(receiver.url).send(MESSAGE)
        assert receiver.messages == [MESSAGE]
        assert receiver.keys == ["t1"]


async def test_answers() -> None:
    with receiving() as receiver:
        error = await fail_with(receiver, 500)
        assert error.message == "the answer was 500 Internal Server Error"
        assert type(error) is SourceError
        assert isinstance(await fail_with(receiver, 400), Unwanted)
        later = await fail_with(receiver, 429, Retry_After="30")
        assert isinstance(later, RetryLater)
        assert later.seconds == 30
        later = await fail_with(receiver, 503, Retry_After="999999")
        assert later.seconds == MAX_LATER
        assert receiver.messages == []


async def test_redirects_stay_within_the_origin() -> None:
    with receiving() as receiver, receiving() as other:
        moved = f"{receiver.path}-moved"

        def move(message: Any) -> tuple[int, dict[str, str]]:
            receiver.path = moved
            receiver.decide = lambda message: (200, {})
            return 307, {"Location": moved}

        receiver.decide = move
        await webhook(receiver.url).send(MESSAGE)
        assert receiver.messages == [MESSAGE]
        receiver.path = receiver.path.removesuffix("-moved")
        error = await fail_with(receiver, 308, Location=other.url)
        assert error.message == "redirected to another origin"
        assert other.messages == []
        error = await fail_with(receiver, 308, Location="//[s3cret-part")
        assert error.message == "redirected to another origin"
        error = await fail_with(receiver, 307, Location=receiver.path)
        assert error.message == "redirected too often"
        error = await fail_with(receiver, 302, Location=receiver.path)
        assert error.message == "the answer was 302 Found"


async def test_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    receiver = Receiver()
    receiver.up(context)
    url = f"https://localhost:{receiver.port}{receiver.path}"
    with pytest.raises(SourceError, match="the certificate is not trusted"):
        await webhook(url).send(MESSAGE)
    assert receiver.messages == []
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    await webhook(url).send(MESSAGE)
    assert receiver.messages == [MESSAGE]
    receiver.down()


async def test_receiver_that_is_down() -> None:
    with pytest.raises(SourceError, match="the host does not accept connections"):
        await webhook(Receiver().url).send(MESSAGE)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "https://user:s3cret@host/",
        "http://host:0/s3cret",
        "http://host:s3cret/",
        "http://ho st/s3cret",
    ],
)
async def test_address_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        webhook(url)
    [line] = caught.value.problems
    assert line.startswith("alerts.shop.to[0]: expected an address such as")
    assert "s3cret" not in line
