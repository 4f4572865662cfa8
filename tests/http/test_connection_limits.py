"""Which connections stay."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.http.connection_limits import ConnectionLimits


class FakeConnection:
    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class ConnectionLimitsTests(SynchronousTestCase):
    """10 viewers, and 20 other connections: two of them for surplus ones, 24 of all for one address."""

    def setUp(self) -> None:
        self.links: list[int] = []
        self.viewers = {"v": 8}
        self.limits = ConnectionLimits(
            self.links, lambda client: self.viewers.get(client, 0), 10, 20
        )

    def come(self, client: str, count: int = 1) -> list[FakeConnection]:
        new = [FakeConnection() for _ in range(count)]
        for connection in new:
            self.limits.admit(connection, client)
        return new

    def is_surplus(self, connection: FakeConnection, client: str) -> bool:
        return self.limits.is_surplus(connection, client)

    def test_beyond_its_share_an_address_displaces_its_own(self) -> None:
        new = self.come("a", 28)
        self.assertEqual(
            [False] * 24 + [True] * 2 + [False] * 2, [connection.aborted for connection in new]
        )
        self.assertEqual(2, self.limits.displaced)
        self.assertEqual(
            [False] * 24 + [True] * 2, [self.is_surplus(c, "a") for c in new if not c.aborted]
        )
        [other] = self.come("b")
        self.assertFalse(self.is_surplus(other, "b"))

    def test_the_viewers_of_an_address_count(self) -> None:
        self.come("v", 16)
        [surplus] = self.come("v")
        self.assertTrue(self.is_surplus(surplus, "v"))

    def test_room_that_is_free_again(self) -> None:
        first, *_ = self.come("a", 24)
        [surplus] = self.come("a")
        self.assertTrue(self.is_surplus(surplus, "a"))
        self.limits.release(first)
        self.limits.release(first)
        self.assertFalse(self.is_surplus(surplus, "a"))

    def test_when_all_is_full_a_newcomer_is_surplus(self) -> None:
        for number in range(28):
            self.come(f"a{number}")
        [new] = self.come("b")
        self.assertTrue(self.is_surplus(new, "b"))
        refused = self.limits.refusal("b")
        assert refused is not None
        self.assertEqual((503, "too-many-connections"), (refused.status, refused.code))

    def test_when_all_is_full_that_is_the_reason_for_a_greedy_address_too(self) -> None:
        self.come("a", 24)
        for number in range(4):
            self.come(f"b{number}")
        refused = self.limits.refusal("a")
        self.assertEqual("too-many-connections", refused and refused.code)

    def test_viewers_find_room_among_idle_connections(self) -> None:
        old = [self.come(f"a{number}")[0] for number in range(28)]
        for number in range(10):
            self.come(f"b{number}")
            self.links.append(number)
        self.come("c")
        self.assertEqual(30, self.limits._total)
        self.assertEqual([True] * 10, [connection.aborted for connection in old[:10]])
        self.assertEqual([False] * 18, [connection.aborted for connection in old[10:]])

    def test_a_client_with_a_token_is_kept(self) -> None:
        self.come("a", 24)
        [publisher] = self.come("a")
        self.limits.keep(publisher, "a")
        self.come("a", 10)
        self.assertFalse(publisher.aborted)

    def test_a_proxy_counts_for_its_clients(self) -> None:
        new = self.come("", 25)
        counted = [self.is_surplus(connection, "a") for connection in new]
        self.assertEqual([False] * 24 + [True], counted)
        self.assertFalse(self.is_surplus(new[0], "b"))
        self.assertFalse(self.is_surplus(new[-1], "a"))

    def test_nothing_stays(self) -> None:
        for connection in self.come("a", 20) + self.come("", 3):
            self.limits.release(connection)
        self.assertEqual(({}, {}), (self.limits._clients, self.limits._surplus))
        self.assertEqual((0, {}), (self.limits._quota.used, self.limits._quota._held))
