"""The senders of webhooks: signatures, events, tests and ids."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from streamd.config.hooks import SENDERS as NAMES
from streamd.config.hooks import WITH_EVENTS
from streamd.core.errors import Refused
from streamd.http.publishing.senders import SENDERS, TOLERANCE, HookSender, Sent, is_secret
from tests.support import deliveries as made
from tests.support.deliveries import NOW, SECRET

BODY = made.body_of(made.GITHUB)


def refusal(
    sender: str, headers: Mapping[str, str], body: bytes = BODY, secret: str = SECRET
) -> str:
    """The code with which a delivery is refused; empty if it is let in."""
    sent = Sent({name.lower(): value for name, value in headers.items()}, body, NOW)
    try:
        SENDERS[sender].check(secret, sent)
    except Refused as refused:
        return refused.code if refused.status == 401 else str(refused)
    return ""


class SignatureTests(SynchronousTestCase):
    def test_every_configured_sender_is_known(self) -> None:
        self.assertEqual(set(NAMES), set(SENDERS))
        tells = {name for name, each in SENDERS.items() if type(each).event is not HookSender.event}
        self.assertEqual(WITH_EVENTS, tells)

    def test_right_signatures(self) -> None:
        for sender, headers in (
            ("github", made.github(BODY)),
            ("gitlab", {"X-Gitlab-Token": SECRET}),
            ("gitlab", made.standard(BODY)),
            ("grafana", made.grafana(BODY)),
            ("grafana", made.grafana(BODY, time=NOW)),
            ("stripe", made.stripe(BODY)),
            ("standard", made.standard(BODY)),
        ):
            self.assertEqual("", refusal(sender, headers), (sender, headers))
            self.assertEqual("bad-signature", refusal(sender, headers, secret="another-secret--"))
            self.assertEqual("bad-signature", refusal(sender, {}))
            if "X-Gitlab-Token" not in headers:
                self.assertEqual("bad-signature", refusal(sender, headers, BODY + b" "))

    def test_examples_of_the_senders(self) -> None:
        """GitHub's documentation and the specification of Standard Webhooks have these."""
        signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        headers = {"X-Hub-Signature-256": signature}
        secret = "It's a Secret to Everybody"
        self.assertEqual("", refusal("github", headers, b"Hello, World!", secret))

    def test_secret_of_standard_webhooks_is_in_base64(self) -> None:
        key = bytes(range(24))
        secret = "whsec_" + b64encode(key).decode()
        self.assertEqual("", refusal("standard", made.standard(BODY, key), secret=secret))
        self.assertEqual("", refusal("standard", made.standard(BODY, "whsec_?"), secret="whsec_?"))

    def test_time_in_a_signature_bounds_replays(self) -> None:
        for late in (-TOLERANCE - 1, TOLERANCE + 1):
            for sender, headers in (
                ("grafana", made.grafana(BODY, time=NOW + late)),
                ("stripe", made.stripe(BODY, time=NOW + late)),
                ("standard", made.standard(BODY, time=NOW + late)),
            ):
                self.assertEqual("too-old", refusal(sender, headers), sender)
        for sender, headers in (
            ("grafana", made.grafana(BODY, time=NOW - TOLERANCE + 1)),
            ("stripe", made.stripe(BODY, time=NOW - TOLERANCE + 1)),
        ):
            self.assertEqual("", refusal(sender, headers))

    def test_forgeries(self) -> None:
        right = made.github(BODY)["X-Hub-Signature-256"]
        time = made.grafana(BODY, time=NOW)
        for sender, headers in (
            ("github", {"X-Hub-Signature-256": right.upper()}),
            ("github", {"X-Hub-Signature-256": right.removeprefix("sha256=")}),
            ("github", {"X-Hub-Signature-256": ""}),
            ("github", {"X-Hub-Signature-256": "\xff"}),
            ("github", {"X-Hub-Signature": right}),
            ("gitlab", {"X-Gitlab-Token": ""}),
            ("grafana", {**time, "X-Grafana-Alerting-Signature-Timestamp": "1"}),
            ("grafana", {"X-Grafana-Alerting-Signature": time["X-Grafana-Alerting-Signature"]}),
            ("stripe", {"Stripe-Signature": "t=,v1="}),
            (
                "stripe",
                {"Stripe-Signature": made.stripe(BODY)["Stripe-Signature"].replace("v1", "v0")},
            ),
            ("stripe", {"Stripe-Signature": "v1," * 5000}),
            ("standard", {**made.standard(BODY), "webhook-id": "msg_2"}),
            ("any", {}),
            ("any", {"": ""}),
        ):
            self.assertEqual("bad-signature", refusal(sender, headers), (sender, headers))
        bad_time = made.digest(SECRET, b"nan." + BODY).hex()
        self.assertEqual("too-old", refusal("stripe", {"Stripe-Signature": f"t=nan,v1={bad_time}"}))

    def test_is_secret(self) -> None:
        self.assertTrue(is_secret("é", "é"))
        for given in ("", "e", "éé", "\udc80"):
            self.assertFalse(is_secret(given, "é"))


class AboutTests(SynchronousTestCase):
    def test_ids(self) -> None:
        for sender, headers, document, id in (
            ("github", {"x-github-delivery": "g"}, {}, "g"),
            ("gitlab", {"idempotency-key": "k", "webhook-id": "w"}, {}, "k"),
            ("gitlab", {"webhook-id": "w"}, {}, "w"),
            ("grafana", {"x-grafana-alerting-signature": "s"}, {}, ""),
            ("stripe", {}, made.STRIPE, made.STRIPE["id"]),
            ("stripe", {}, [], ""),
            ("stripe", {}, {"id": 7}, ""),
            ("standard", {"webhook-id": "w"}, {}, "w"),
            ("alertmanager", {"x-github-delivery": "g", "idempotency-key": "k"}, {"id": "x"}, ""),
        ):
            self.assertEqual(id, SENDERS[sender].id(headers, document), sender)
        timed = {name.lower(): value for name, value in made.grafana(BODY, time=NOW).items()}
        self.assertTrue(SENDERS["grafana"].id(timed, {}))

    def test_tests_of_the_connection(self) -> None:
        self.assertTrue(SENDERS["github"].is_test({"x-github-event": "ping"}, made.GITHUB_PING))
        self.assertFalse(SENDERS["github"].is_test({"x-github-event": "push"}, {}))
        self.assertTrue(SENDERS["uptime-kuma"].is_test({}, made.KUMA_TEST))
        self.assertFalse(SENDERS["uptime-kuma"].is_test({}, made.KUMA))
        self.assertFalse(SENDERS["uptime-kuma"].is_test({}, []))
