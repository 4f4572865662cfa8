"""An answer about selected streams waits until they are matched, and holds nobody up."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.selection import Selection
from streamd.core.update import Draft
from streamd.http.access.principal import READS_ALL
from streamd.http.reading.read import Reader
from streamd.http.request import Request, Response
from streamd.http.viewers.poll import Polls
from streamd.hub.hub import Hub
from streamd.reactor.slices import PAUSE
from tests.support.fakes import Daemonette


class MatchedTests(SynchronousTestCase):
    def setUp(self) -> None:
        daemon = Daemonette()
        daemon.journal.append([Draft(f"s{number}", b"1") for number in range(6000)])
        self.clock = Clock()
        self.hub = Hub(daemon.state, self.clock)
        reader = Reader(daemon.state, self.hub.slices, lambda: 0.0)
        polls = Polls(self.hub, daemon.times.now, self.clock)
        self.routes = {"/state": reader.get_state, "/streams": reader.get_streams}
        self.routes["/updates"] = polls.get_updates

    def ask(self, path: str, streams: str) -> Response | Deferred[Response]:
        return self.routes[path](Request("GET", path, {"streams": streams}, principal=READS_ALL))

    def test_globs_over_many_streams_take_turns(self) -> None:
        for number, path in enumerate(self.routes):
            answer = self.ask(path, f"*1*2*3*{number},*99?")
            assert isinstance(answer, Deferred), path
            self.assertNoResult(answer)
            for _ in range(20):
                self.clock.advance(PAUSE)
            body = self.successResultOf(answer).body
            text = body if isinstance(body, bytes) else b"".join(body)
            self.assertIn(b'"s5990"', text)
            self.assertNotIn(b'"s1"', text)

    def test_names_do_not_wait(self) -> None:
        for path in self.routes:
            self.assertIsInstance(self.ask(path, "s1,s2"), Response, path)

    def test_a_second_request_does_not_wait(self) -> None:
        for path in self.routes:
            self.assertTrue(self.hub.state.roster.matches(Selection(["*1*2*3*"])).bits)
            self.assertIsInstance(self.ask(path, "*1*2*3*"), Response, path)
