"""Proves that a backfill is exact, however often the daemon dies in it, while live updates go on.

PostgreSQL holds a table of 400 days with a million rows, and gets more rows all the time.  One daemon
fills the past of its streams without a break.  A second one, with a log of its own, is killed with
SIGKILL twice in the middle.  In the end both have the same slots; they equal a naive computation over
the table; and the newest values were those of the live query all the way.  With ``redis`` as argument
the logs are in Redis, else in SQLite files.
"""

from __future__ import annotations

import math
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from checks.proof import MIB, Daemon, Proof, main, memory, running, spread
from tests.support.databases import PostgresServer, serve_all_tests
from tests.support.net import wait_until
from tests.support.redis import Redis

ROWS = 1_000_000
DAYS = 400
DAY = 86_400

MORE_MEMORY = 96 * MIB
"""Bytes by which a backfill may enlarge the daemon: some windows of 10,000 rows, as Python objects."""

POINTS = 2000
"""Slots in one answer."""

WITHIN = 900.0
"""Seconds within which a backfill has to be complete."""

CONFIG = """
[access]
publish = "loopback"
[sources.shop]
database = "{url}"
query = "SELECT load, state FROM readings ORDER BY at DESC LIMIT 1"
every = "200ms"
[sources.shop.backfill]
query = "SELECT at AS time, load, state FROM readings WHERE at >= :from AND at < :to"
[streams.shop.load]
rollup = "{days}d"
[streams.shop.state]
rollup = "{days}d"
[journal]
{journal}
"""


class Readings:
    """The table, and a thread that goes on to insert rows."""

    def __init__(self, server: PostgresServer, rows: int, days: int) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._insert, daemon=True)
        step = days * DAY / rows
        server.sql(
            "CREATE TABLE readings (at timestamptz NOT NULL, load float8, state text)",
            f"""INSERT INTO readings
                SELECT now() - make_interval(secs => {step} * n), (n::bigint * 7919 % 1000) / 8.0,
                       CASE n::bigint * 31 % 1700 WHEN 0 THEN 'down' WHEN 31 THEN NULL ELSE 'up' END
                FROM generate_series({rows}, 1, -1) AS n""",
            "CREATE INDEX ON readings (at)",
            "GRANT SELECT ON readings TO shop",
            "ANALYZE readings",
        )

    def _insert(self) -> None:
        with self._server.connect() as connection:
            number = 0
            while not self._over.wait(0.1):
                number += 1
                connection.execute("INSERT INTO readings VALUES (now(), %s, 'up')", (number / 8,))

    def rows(self, until: float) -> list[tuple[float, float]]:
        """Time and load of the rows before a time."""
        found = self._server.sql(
            "SELECT extract(epoch FROM at)::float8, load FROM readings "
            f"WHERE at < to_timestamp({until!r}) ORDER BY at"
        )
        return [(time, load) for time, load in found]

    @contextmanager
    def growing(self) -> Iterator[None]:
        self._thread.start()
        yield
        self._over.set()
        self._thread.join()


class Filled(NamedTuple):
    """What a daemon knows once its backfill is complete.

    :ivar until: when its past ends.
    :ivar points: the slots before that, without the last.
    :ivar words: the segments of the words, by begin.
    """

    until: float
    points: list[list[float]]
    words: dict[float, Any]


class Observed:
    """A daemon, and what was seen of it while its backfill went on."""

    def __init__(self, daemon: Daemon, days: int) -> None:
        self._daemon, self._days = daemon, days
        self.until = 0.0
        self.reached: list[float] = []
        self.answers: list[float] = []
        self.newest: list[tuple[int, float]] = []  # seq and time of the newest update
        self.most = 0  # bytes of memory

    def look(self) -> bool:
        """Look once; return whether the backfill is complete."""
        began = time.monotonic()
        answer = self._ask("shop.load", time.time() - DAY, time.time(), 10)
        self.answers.append(time.monotonic() - began)
        self.most = max(self.most, memory(self._daemon.pid))
        if answer.get("seq"):
            self.newest.append((answer["seq"], answer["time"]))
        backfill = answer.get("backfill")
        if backfill is not None:
            self.until = backfill["until"]
            self.reached.append(backfill["reached"])
        return backfill is None and bool(self.reached)

    def reach(self, part: float) -> None:
        """Wait until this part of the past is filled."""
        first = time.time() - self._days * DAY
        goal = first + part * self._days * DAY
        wait_until(lambda: self.look() or self.reached[-1:] > [goal], WITHIN, "the backfill")

    def _ask(self, name: str, begin: float, end: float, points: int) -> Any:
        path = f"/streams/{name}?from={begin}&to={end}&points={points}"
        with suppress(OSError):
            answer = self._daemon.request("GET", path)
            return answer.json() if answer.status == 200 else {}
        return {}

    def filled(self, width: int) -> Filled:
        """Read all of the past."""
        end = self.until // width * width
        begin = (time.time() // DAY - self._days - 2) * DAY
        points: list[list[float]] = []
        while begin < end:
            stop = min(begin + POINTS * width, end)
            found = self._ask("shop.load", begin, stop, POINTS)
            assert found["width"] == width, found["width"]
            points += [point for point in found["points"] if point[0] < end]
            begin = stop
        words = self._ask("shop.state", points[0][0], end, 10)["words"]
        return Filled(self.until, points, {start: (stop, word) for start, stop, word in words})


def prove(
    proof: Proof, rows: int = ROWS, days: int = DAYS, width: int = 3600, journal: str = "sqlite"
) -> None:
    """:param width: seconds of a slot, for this number of days."""
    with ExitStack() as stack:
        server = stack.enter_context(contextmanager(serve_all_tests)(PostgresServer))
        server.clear()
        table = Readings(server, rows, days)
        stack.enter_context(table.growing())
        logs: Sequence[str] = ['path = "log.db"'] * 2
        if journal == "redis":
            redis = Redis(Path(stack.enter_context(tempfile.TemporaryDirectory())))
            redis.start()
            stack.callback(redis.kill)
            logs = [
                f'url = "redis://127.0.0.1:{redis.port}"\nprefix = "{n}:"' for n in ("one", "other")
            ]
        configs = [CONFIG.format(url=server.url, days=days, journal=log) for log in logs]
        whole = one_run(proof, configs[0], days, width)
        broken = interrupted(proof, configs[1], days, width)
        compare(proof, whole, broken)
        naive(proof, table.rows(broken.until), broken, width)


def one_run(proof: Proof, config: str, days: int, width: int) -> Filled:
    """Let a backfill run without a break."""
    with running(config=config) as daemon:
        before = memory(daemon.pid)
        observed = Observed(daemon, days)
        began = time.monotonic()
        wait_until(observed.look, WITHIN, "the backfill")
        proof.figure(f"one run took {time.monotonic() - began:.1f} s")
        proof.figure(f"answers meanwhile: {spread(observed.answers)}")
        quiet = Observed(daemon, days)
        for _ in range(200):
            quiet.look()
        proof.figure(f"answers afterwards: {spread(quiet.answers)}")
        proof.claim_memory(observed.most - before, MORE_MEMORY, "in the backfill")
        claim_live(proof, observed)
        return observed.filled(width)


def interrupted(proof: Proof, config: str, days: int, width: int) -> Filled:
    """Kill the daemon twice in its backfill."""
    with running(config=config) as daemon:
        observed = Observed(daemon, days)
        for part in (1 / 3, 2 / 3):
            observed.reach(part)
            daemon.kill()
            reached = observed.reached[-1]
            daemon.start()
            again = len(observed.reached)
            wait_until(lambda: observed.look() or len(observed.reached) > again)  # noqa: B023
            resumed = observed.reached[min(again, len(observed.reached) - 1)]
            left = (observed.until - resumed) / DAY
            proof.claim(
                reached - days * DAY / 4 <= resumed < observed.until,
                f"killed, it continues {left:.0f} days before the end, not at the beginning",
            )
        wait_until(observed.look, WITHIN, "the backfill")
        claim_live(proof, observed)
        return observed.filled(width)


def claim_live(proof: Proof, observed: Observed) -> None:
    """Claim that the newest value was always one of the live query, and went on."""
    seqs = [seq for seq, _ in observed.newest]
    behind = min((at - observed.until for _, at in observed.newest), default=-math.inf)
    proof.claim(
        seqs == sorted(seqs) and len(set(seqs)) > 1 and behind >= -1.0,
        f"{len(set(seqs))} live updates were seen meanwhile, in order, none of the past",
    )


def compare(proof: Proof, whole: Filled, broken: Filled) -> None:
    """Claim that both daemons have the same slots and segments, up to the earlier end."""
    end = min(whole.points[-1][0], broken.points[-1][0])
    first = max(whole.points[0][0], broken.points[0][0])
    one, other = (
        [point for point in filled.points if first <= point[0] <= end] for filled in (whole, broken)
    )
    different = sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))
    proof.claim(
        not different and len(one) > 0,
        f"{len(one)} slots of one run and of the interrupted one: {different} differ",
    )
    # Both keep the newest segments only, and the interrupted run ended later.
    first = max(first, *(min(filled.words, default=0.0) for filled in (whole, broken)))
    words = {start: told for start, told in whole.words.items() if first < start and told[0] < end}
    wrong = [start for start, told in words.items() if broken.words.get(start) != told]
    proof.claim(bool(words) and not wrong, f"{len(words)} segments: {len(wrong)} differ")


def naive(proof: Proof, rows: Sequence[tuple[float, float]], filled: Filled, width: int) -> None:
    """Claim that the slots are those of a naive computation."""
    expected: dict[int, list[tuple[float, float]]] = {}
    for (begin, load), (end, _) in pairwise([*rows, (filled.until, 0.0)]):
        while begin < end:
            number = int(begin // width)
            stop = min((number + 1) * width, end)
            expected.setdefault(number, []).append((load, stop - begin))
            begin = stop
    wrong = 0
    points = filled.points[1:]  # before the first one, there are rows that are older than the past
    for start, low, mean, high, last in points:
        parts = expected[int(start // width)]
        known = math.fsum(seconds for _, seconds in parts)
        area = math.fsum(load * seconds for load, seconds in parts)
        loads = [load for load, _ in parts]
        close = math.isclose(mean, area / known, rel_tol=1e-9)
        wrong += not (close and (low, high, last) == (min(loads), max(loads), loads[-1]))
    whole = len(points) == points[-1][0] // width - points[0][0] // width + 1
    proof.claim(
        not wrong and whole, f"{len(points)} slots of {len(rows)} rows: {wrong} are not as computed"
    )


if __name__ == "__main__":
    kind = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    main(lambda proof: prove(proof, journal=kind))
