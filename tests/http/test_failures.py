"""The answer to what is refused or fails: the client learns what it may, and the operator the rest."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.http.failures import COME_AGAIN, explain, refusal
from streamd.http.request import Request

REQUEST = Request("GET", "/state")


class Noted:
    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.refused: list[Refused] = []

    def note_failure(self, what: str, failure: Failure) -> None:
        self.failures.append(failure)

    def note_refused(self, error: Refused, request: Request | None) -> None:
        assert request is REQUEST
        self.refused.append(error)


class FailuresTests(SynchronousTestCase):
    def test_a_refusal_is_told_and_noted(self) -> None:
        noted, error = Noted(), Refused(403, "no-right", "not for you")
        answer = explain(Failure(error), noted, REQUEST)
        self.assertEqual(answer.status, 403)
        self.assertIn(b"not for you", answer.body)
        self.assertEqual(noted.refused, [error])

    def test_an_error_of_streamd_is_noted_and_not_told(self) -> None:
        noted = Noted()
        answer = explain(Failure(ValueError("secret")), noted, REQUEST)
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"secret", answer.body)
        self.assertEqual(len(noted.failures), 1)

    def test_nobody_is_told_when_nobody_waits(self) -> None:
        noted = Noted()
        self.assertEqual(explain(Failure(CancelledError()), noted, REQUEST).status, 503)
        self.assertEqual((noted.failures, noted.refused), ([], []))

    def test_refused_clients_come_back_at_different_times(self) -> None:
        answers = [refusal(Refused(503, "busy", "too much", 10.5)) for _ in range(200)]
        waits = {int(answer.headers["Retry-After"]) for answer in answers}
        self.assertEqual(waits, set(range(11 + COME_AGAIN[0], 12 + COME_AGAIN[1])))

    def test_401_has_the_schemes_of_authentication(self) -> None:
        answer = refusal(Refused(401, "no-token", "who are you?"))
        self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
