"""Messages are made once for all viewers who get the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streamd.core.cursor import Answer
from streamd.core.description import Description
from streamd.core.stream import Stream
from streamd.core.update import Update
from streamd.hub.messages import REMEMBERED
from streamd.reactor.slices import PAUSE
from streamd.wire.encoding import Encoding, Message
from streamd.wire.frames import PLAIN_WEBSOCKET, V1_WEBSOCKET
from tests.hub.test_hub import HubTestCase


class SharedTests(HubTestCase):
    def spied(self, of: Encoding) -> tuple[Encoding, list[Answer], list[Update]]:
        """An encoding, all answers that it wrote and all updates of which it made a text."""
        answers: list[Answer] = []
        updates: list[Update] = []

        def text(update: Update) -> bytes:
            updates.append(update)
            return of.text(update)

        def write(answer: Answer, texts: Iterable[bytes]) -> Message:
            answers.append(answer)
            return of.write(answer, texts)

        return of._replace(name="spied", text=text, write=write), answers, updates

    def test_selections_that_match_the_same_share_a_message(self) -> None:
        for encoding in (PLAIN_WEBSOCKET, V1_WEBSOCKET):
            self.setUp()
            self.publish(a=0, b=0)
            spied, answers, _ = self.spied(encoding)
            selections = [["a", "b", f"unknown{n}"] for n in range(20)] + [["?"], ["*", "x"]]
            viewers = [self.join(streams=s, encoding=spied) for s in selections]
            del answers[:]
            self.publish(a=1, b=1)
            self.assertEqual(1, len(answers))
            self.assertEqual(1, len({id(viewer.written[-1]) for viewer in viewers}))

    def test_the_text_of_an_update_is_made_once_for_all_messages(self) -> None:
        spied, answers, updates = self.spied(V1_WEBSOCKET)
        for name in "abcdefgh":
            self.join(streams=["common", name], encoding=spied)
        self.publish(**dict.fromkeys("abcdefgh", 0), common=0)
        self.clock.advance(1)
        del answers[:], updates[:]
        self.publish(**dict.fromkeys("abcdefgh", 1), common=1)
        self.assertEqual(8, len(answers))
        self.assertEqual(9, len(updates))

    def test_viewers_without_a_changed_stream_share_an_empty_message(self) -> None:
        spied, answers, updates = self.spied(V1_WEBSOCKET)
        self.publish(a=0, b=0)
        viewers = [self.join(streams=["b", f"x{n}"], encoding=spied) for n in range(20)]
        told = [viewer.written[:] for viewer in viewers]
        del answers[:], updates[:]
        self.publish(a=1)
        self.assertEqual(told, [viewer.written for viewer in viewers])
        self.assertEqual((1, []), (len(answers), updates))
        self.assertEqual({self.state.head}, {viewer.cursor.at for viewer in viewers})

    def test_descriptions_go_to_viewers_that_selected_the_stream(self) -> None:
        one, other = (
            self.join(streams=["a"], encoding=V1_WEBSOCKET),
            self.join(streams=["b"], encoding=V1_WEBSOCKET),
        )
        self.publish(a=1)
        self.assertIn("streams", [message["type"] for message in one.messages])
        self.assertEqual(["hello"], [message["type"] for message in other.messages])

    def test_few_messages_are_kept(self) -> None:
        self.publish(**{f"s{number}": "x" * 40_000 for number in range(2 * REMEMBERED)})
        viewer = self.join()
        for _ in range(2 * REMEMBERED):
            self.clock.advance(0)
        self.assertEqual(2 * REMEMBERED, len(viewer.holds))
        self.assertLessEqual(len(self.hub._messages._made), REMEMBERED)

    def test_nothing_is_kept_of_a_state_that_is_no_more(self) -> None:
        self.join()
        self.publish(a=1)
        self.publish(a=2)
        self.clock.advance(1)
        self.assertEqual(1, len(self.hub._messages._made))

    def test_a_plain_first_answer_describes_nothing(self) -> None:
        self.publish(a=1)

        def public(description: Description) -> dict[str, Any]:
            raise AssertionError("nobody is told")

        self.patch(Description, "public", public)
        self.assertEqual({"a": 1}, self.join().holds)
        self.publish(b=1)
        self.clock.advance(1)
        self.assertEqual([], self.flushLoggedErrors())

    def test_a_storm_shares_one_hello(self) -> None:
        self.publish(**{f"s{number}": number for number in range(100)})
        texts: list[str] = []
        health_text = Stream.health_text.fget  # type: ignore[attr-defined]

        def spy(stream: Stream) -> bytes:
            texts.append(stream.name)
            found: bytes = health_text(stream)
            return found

        self.patch(Stream, "health_text", property(spy))
        viewers = [self.join(encoding=V1_WEBSOCKET) for _ in range(20)]
        self.assertEqual(100, len(texts))
        self.assertEqual({100}, {len(viewer.messages[0]["health"]) for viewer in viewers})

    def test_a_newcomer_misses_no_proof(self) -> None:
        self.publish(a=1)
        for _ in range(2):
            viewer = self.join(encoding=V1_WEBSOCKET)
            self.clock.advance(2)
            self.publish(a=2)
            self.clock.advance(1)
            self.hub.tick(self.daemon.times.now())
            late = self.join(encoding=V1_WEBSOCKET)
            proved = self.daemon.times.now() - 1
            self.clock.advance(PAUSE)
            self.assertEqual({"a": proved}, viewer.messages[-1]["proof"])
            self.assertEqual(proved, late.messages[0]["health"]["a"]["proof"])
