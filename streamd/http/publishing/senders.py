"""The senders of webhooks: how each signs a delivery, and marks its event and repetitions.  Pure.

Sources: the documentation of GitHub ("Validating webhook deliveries"), of GitLab ("Webhooks"), of
Grafana ("Configure webhook notifications"), of Stripe ("Verify webhook signatures manually"), and the
specification Standard Webhooks 1.0.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

from streamd.core.errors import Refused

TOLERANCE = 300.0
"""The most seconds between the time in a signature and the daemon's clock, as in Stripe's libraries."""

_MAX_SIGNATURES = 16
"""The most signatures of one delivery: a sender that changes its secret signs with the old one, too."""


class Sent(NamedTuple):
    """A delivery as it was received.

    :ivar headers: names in lower case.
    :ivar body: as it was sent, because the signature is made from these bytes.
    :ivar now: when it was received, in seconds since the epoch.
    """

    headers: Mapping[str, str]
    body: bytes
    now: float


class HookSender:
    """A sender that does not sign, and marks neither events nor repetitions.

    :ivar signature: the header with the signature; empty if the sender does not sign.
    """

    signature = ""

    def check(self, secret: str, sent: Sent) -> None:
        """Check the signature of a delivery.

        :raises Refused: 401 if it is missing, wrong or too old.
        """
        if self.signature not in sent.headers or not self._is_right(secret.encode(), sent):
            text = (
                f"expected the header {self.signature} with a signature by the secret of this hook"
            )
            raise Refused(401, "bad-signature", text)

    def _is_right(self, secret: bytes, sent: Sent) -> bool:
        """Return whether the signature is that of the body.  The duration tells nothing of the secret.

        :raises Refused: 401 if the signature is right, and too old.
        """
        return False

    def event(self, headers: Mapping[str, str], document: Any) -> str:
        """Return the kind of event; empty if the sender names no kind."""
        return ""

    def is_test(self, headers: Mapping[str, str], document: Any) -> bool:
        """Return whether a delivery only tests the connection, and has no value."""
        return False

    def id(self, headers: Mapping[str, str], document: Any) -> str:
        """Return the id that all deliveries of an event share; empty if the sender sends no id."""
        return ""


class GitHub(HookSender):
    """GitHub, and programs that send in the same form, such as Gitea and Forgejo."""

    signature = "x-hub-signature-256"

    def _is_right(self, secret: bytes, sent: Sent) -> bool:
        return _equal(f"sha256={_hex(secret, sent.body)}", sent.headers[self.signature])

    def event(self, headers: Mapping[str, str], document: Any) -> str:
        return headers.get("x-github-event", "")

    def is_test(self, headers: Mapping[str, str], document: Any) -> bool:
        return self.event(headers, document) == "ping"

    def id(self, headers: Mapping[str, str], document: Any) -> str:
        return headers.get("x-github-delivery", "")


class Standard(HookSender):
    """Senders that keep to Standard Webhooks.  A secret ``whsec_…`` is in base64."""

    signature = "webhook-signature"

    def _is_right(self, secret: bytes, sent: Sent) -> bool:
        headers = sent.headers
        time = headers.get("webhook-timestamp", "")
        signed = f"{headers.get('webhook-id', '')}.{time}.".encode("latin-1") + sent.body
        right = "v1," + b64encode(_digest(_decoded(secret), signed)).decode()
        given = headers[self.signature].split()[:_MAX_SIGNATURES]
        return _any_equal(right, given) and _is_recent(time, sent.now)

    def id(self, headers: Mapping[str, str], document: Any) -> str:
        return headers.get("webhook-id", "")


class GitLab(Standard):
    """GitLab: it sends its secret token, or signs as Standard Webhooks says."""

    def check(self, secret: str, sent: Sent) -> None:
        if "x-gitlab-token" not in sent.headers:
            super().check(secret, sent)
        elif not _equal(secret, sent.headers["x-gitlab-token"]):
            text = "expected the header X-Gitlab-Token with the secret of this hook"
            raise Refused(401, "bad-signature", text)

    def event(self, headers: Mapping[str, str], document: Any) -> str:
        return headers.get("x-gitlab-event", "")

    def id(self, headers: Mapping[str, str], document: Any) -> str:
        # Versions before 17.4 send no such header.
        return headers.get("idempotency-key") or super().id(headers, document)


class Grafana(HookSender):
    """Grafana 12 and newer, with an HMAC secret.

    Grafana can be configured to use other names for both headers.  The name for the signature is
    its default, and the name for the time is the one in its documentation.
    """

    signature = "x-grafana-alerting-signature"
    _time = "x-grafana-alerting-signature-timestamp"

    def _is_right(self, secret: bytes, sent: Sent) -> bool:
        time = sent.headers.get(self._time)
        signed = sent.body if time is None else f"{time}:".encode("latin-1") + sent.body
        right = _equal(_hex(secret, signed), sent.headers[self.signature])
        return right and (time is None or _is_recent(time, sent.now))

    def id(self, headers: Mapping[str, str], document: Any) -> str:
        # With a time in it, a signature comes again only if somebody replays it.
        return headers.get(self.signature, "") if self._time in headers else ""


class Stripe(HookSender):
    """Stripe: ``t=…,v1=…``.  Each attempt has its own time; the id is in the event."""

    signature = "stripe-signature"

    def _is_right(self, secret: bytes, sent: Sent) -> bool:
        pairs = [part.strip().partition("=") for part in sent.headers[self.signature].split(",")]
        time = next((value for key, _, value in pairs if key == "t"), "")
        given = [value for key, _, value in pairs if key == "v1"][:_MAX_SIGNATURES]
        right = _hex(secret, f"{time}.".encode("latin-1") + sent.body)
        return _any_equal(right, given) and _is_recent(time, sent.now)

    def event(self, headers: Mapping[str, str], document: Any) -> str:
        return _member(document, "type")

    def id(self, headers: Mapping[str, str], document: Any) -> str:
        return _member(document, "id")


class UptimeKuma(HookSender):
    """Uptime Kuma: a test has neither a monitor nor a heartbeat."""

    def is_test(self, headers: Mapping[str, str], document: Any) -> bool:
        return isinstance(document, dict) and "msg" in document and not document.get("heartbeat")


SENDERS: Mapping[str, HookSender] = {
    "alertmanager": HookSender(),
    "any": HookSender(),
    "github": GitHub(),
    "gitlab": GitLab(),
    "grafana": Grafana(),
    "standard": Standard(),
    "stripe": Stripe(),
    "uptime-kuma": UptimeKuma(),
}


def is_secret(given: str, secret: str) -> bool:
    """Return whether a text is the secret; the duration reveals nothing about the secret."""
    return _equal(given, secret)


def _digest(secret: bytes, signed: bytes) -> bytes:
    return hmac.digest(secret, signed, "sha256")


def _hex(secret: bytes, signed: bytes) -> str:
    return _digest(secret, signed).hex()


def _equal(one: str, other: str) -> bool:
    # Bytes: compare_digest refuses texts that are not ASCII.  Headers are decoded as latin-1.
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _any_equal(right: str, given: list[str]) -> bool:
    return any(_equal(right, each) for each in given)


def _decoded(secret: bytes) -> bytes:
    """Return the key in a secret of Standard Webhooks."""
    if not secret.startswith(b"whsec_"):
        return secret
    try:
        return b64decode(secret.removeprefix(b"whsec_"), validate=True)
    except binascii.Error:
        return secret


def _is_recent(time: str, now: float) -> bool:
    """Check the time in a right signature, in seconds since the epoch.

    :raises Refused: 401 if it is not near now.
    """
    signed = float(time) if time.isascii() and time.isdecimal() and len(time) < 12 else 0.0
    if abs(now - signed) > TOLERANCE:
        text = f"the delivery was signed more than {TOLERANCE:.0f} s ago, or a clock is wrong"
        raise Refused(401, "too-old", text)
    return True


def _member(document: Any, key: str) -> str:
    found = document.get(key) if isinstance(document, dict) else None
    return found if isinstance(found, str) else ""
