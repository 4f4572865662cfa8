"""Proves that slow viewers cost little, harm nobody, and are not dropped.

A thousand viewers; values of 10 KiB are published a hundred times a second for a minute.  Two hundred
viewers never read, and twenty read two KiB a second.

- The daemon's memory grows by at most 64 KiB for each that stalls, counted from when its history was
  full and everybody was reading.
- The others keep getting the newest value: AT_WORST says how long nothing came.
- Nobody is dropped: those who read slowly neither when nothing more is published, although the daemon's
  ping then waits behind all that the kernel still holds.
- One that begins to read again has the newest value right after what the kernel held for it: the rest
  of what had begun, and one message that may have been written already, is all that comes before it.
"""

from __future__ import annotations

import random
import struct
import time
from fcntl import ioctl
from pathlib import Path
from socket import IPPROTO_TCP, TCP_INFO
from termios import FIONREAD

from checks.crowd import Crowd, Publisher, Viewer
from checks.proof import KIB, Daemon, Proof, main, memory, running, spread

SEED = 7
VALUE = 10 * KIB
STREAM = "news"
PER_STALLED = 64 * KIB
AT_WORST = 3.0
"""Seconds.  The clients take more of the two cores than the daemon; one that falls behind gets what the
kernel kept for it first, which is a second or more."""

HEADER = 4
"""Bytes before the payload of a frame of this size."""

SIP, SIPS = KIB, 2
"""Bytes, and how often a second: a slow viewer needs 80 s for what the kernel holds for it."""

WARM_UP = 150
"""Values: more than the hundred that a stream keeps."""

ESTABLISHED = 1


class Stamped(Publisher):
    """Publishes values that say when they were made.

    A message begins `{"news":{"n":17,"at":123.456000,"pad":"…`.
    """

    _pad = b"x" * (VALUE - 60)

    def publish_next(self) -> None:
        stamp = b'{"n":%d,"at":%.6f,"pad":"%b"}' % (self.sent + 1, time.monotonic(), self._pad)
        self.publish(STREAM, stamp)
        self.count_answers()

    def settle(self, crowd: Crowd) -> int:
        """Waits for the answers; returns how many values were accepted."""
        crowd.run(10, self._all_accepted)
        self.close()
        return self.accepted

    def _all_accepted(self) -> bool:
        self.count_answers()
        return self.accepted == self.sent


def number(message: bytes) -> int:
    """Which value a message brings; 0 for the state of before the first."""
    begin = message.find(b'"n":')
    return int(message[begin + 4 : message.index(b",", begin)]) if begin >= 0 else 0


def made_at(message: bytes) -> float:
    """When its value was made."""
    begin = message.index(b'"at":')
    return float(message[begin + 5 : message.index(b",", begin)])


class Reading:
    """What good viewers saw: how old the values were, and how long they waited for the next.

    :ivar good: whom it is about.
    """

    def __init__(self) -> None:
        self.good: set[Viewer] = set()
        self.ages: list[float] = []
        self.gaps: list[float] = []
        self._last: dict[Viewer, float] = {}

    def hear(self, viewer: Viewer, message: bytes, now: float) -> None:
        """Takes in a message."""
        if viewer not in self.good:
            return
        self.ages.append(now - made_at(message[:80]))
        if viewer in self._last:
            self.gaps.append(now - self._last[viewer])
        self._last[viewer] = now


def prove(
    proof: Proof,
    viewers: int = 1000,
    stalled: int = 200,
    slow: int = 20,
    rate: float = 100.0,
    seconds: float = 60.0,
    quiet: float = 80.0,
) -> None:
    """:param stalled: of the viewers; `slow` too.

    :param quiet: seconds for which the slow ones are watched when nothing more is published; a ping
        comes every 25.
    """
    chance = random.Random(SEED)
    reading = Reading()
    with running() as daemon, Crowd(daemon.port, hear=reading.hear) as crowd:
        crowd.gather(viewers)
        shuffled = chance.sample(crowd.viewers, viewers)
        mute, sipping, good = (
            shuffled[:stalled],
            shuffled[stalled:][:slow],
            shuffled[stalled:][slow:],
        )
        news = Stamped(daemon.port)
        _publish(crowd, news, daemon, [], rate, WARM_UP / rate)
        assert crowd.run(10, lambda: all(number(v.newest) == WARM_UP for v in crowd.viewers))
        for viewer in mute + sipping:
            crowd.mute(viewer)
        reading.good.update(good)
        before = memory(daemon.pid)
        had = sum(v.messages for v in good)
        most = _publish(crowd, news, daemon, sipping, rate, seconds)
        got = sum(v.messages for v in good) - had
        back = [_come_back(crowd, news, daemon, viewer, rate) for viewer in mute[:10]]
        accepted = news.settle(crowd)
        proof.claim(accepted == news.sent, f"{accepted} of {news.sent} published values")

        all_newest = crowd.run(5, lambda: all(number(v.newest) == news.sent for v in good))
        proof.claim(all_newest, f"all {len(good)} good viewers have the newest in the end")
        proof.figure(f"{got / len(good) / seconds:.1f} messages a second each")
        # From when it was made: what waits on the way to a daemon that is busy counts, too.
        proof.figure(f"the age of a value as it comes: {spread(reading.ages)}")
        proof.claim_times(reading.gaps, AT_WORST, "between two messages to one")
        proof.claim_memory(most - before, PER_STALLED * stalled, f"with {stalled} that stall")
        _judge_return(proof, back)
        _sip(crowd, sipping, quiet)
        gone = [v for v in mute + sipping if v.ended or _tcp_state(v) != ESTABLISHED]
        proof.claim(
            not gone, f"{len(gone)} of {stalled} stalled and {slow} slow viewers were dropped"
        )
        for viewer in mute[10:] + sipping:
            if not viewer.ended:
                crowd.hearken(viewer)
        there = crowd.run(10, lambda: all(number(v.newest) == news.sent for v in mute + sipping))
        late = sum(number(v.newest) != news.sent for v in mute + sipping)
        proof.claim(there, f"all of them read again, and {late} of them do not get to the newest")
        closed = [v for v in crowd.viewers if v.closed or v.ended]
        proof.claim(not closed, f"{len(closed)} viewers were closed")


def _publish(
    crowd: Crowd, news: Stamped, daemon: Daemon, sipping: list[Viewer], rate: float, seconds: float
) -> int:
    """Publishes at that rate; returns the most memory that the daemon had."""
    begin = time.monotonic()
    most = 0
    for tick in range(round(rate * seconds)):
        crowd.run(max(0.0, begin + tick / rate - time.monotonic()))
        crowd.turn()
        news.publish_next()
        if tick % round(rate / SIPS) == 0:
            most = max(most, memory(daemon.pid))
            for viewer in sipping:
                viewer.read(SIP)
    return most


def _sip(crowd: Crowd, viewers: list[Viewer], seconds: float) -> None:
    """Lets these viewers read a little, again and again."""
    for _ in range(round(seconds * SIPS)):
        crowd.run(1 / SIPS)
        for viewer in viewers:
            viewer.read(SIP)


class Return:
    """How a stalled viewer came back.

    :ivar held: bytes that the kernel held for it, on both sides.
    :ivar old: messages that came after those bytes and were not the newest.
    :ivar took: seconds until it had the newest.
    """

    def __init__(self, held: int) -> None:
        self.held = held
        self.old = 0
        self.took: float | None = None


def _come_back(crowd: Crowd, news: Stamped, daemon: Daemon, viewer: Viewer, rate: float) -> Return:
    """Lets it read again, while publishing goes on."""
    waiting = int(struct.unpack("i", ioctl(viewer.socket.fileno(), FIONREAD, b"\0\0\0\0"))[0])
    outcome = Return(waiting + _unsent(daemon.port, viewer.socket.getsockname()[1]))
    news.count_answers()
    newest = news.accepted
    begin = time.monotonic()
    begun = read = viewer.received  # it had read whole messages when it stalled
    while outcome.took is None and time.monotonic() < begin + 5:
        until = time.monotonic() + 1 / rate
        while outcome.took is None and time.monotonic() < until:
            crowd.turn(0.001)
            count = viewer.messages
            viewer.read(SIP)  # less than a message: none goes by unseen
            if viewer.messages == count:
                continue
            if number(viewer.newest) >= newest:
                outcome.took = time.monotonic() - begin
            elif read - begun >= outcome.held:
                outcome.old += 1
            read += HEADER + len(viewer.newest)
        news.publish_next()
    crowd.hearken(viewer)
    return outcome


def _judge_return(proof: Proof, back: list[Return]) -> None:
    held = sorted(outcome.held // KIB for outcome in back)
    proof.figure(f"the kernel held {held[0]} to {held[-1]} KiB for each that stalled")
    times = [outcome.took for outcome in back if outcome.took is not None]
    proof.claim(len(times) == len(back), f"the newest, reading again: {spread(times)}")
    old = max(outcome.old for outcome in back)
    proof.claim(
        old <= 1, f"at most {old} older messages come after what the kernel held; at most 1"
    )


def _unsent(port: int, viewer_port: int) -> int:
    """Bytes that the daemon's kernel holds for a viewer: the send queue of its socket."""
    ends = f":{port:04X}", f":{viewer_port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if local.endswith(ends[0]) and remote.endswith(ends[1]):
            return int(queues.partition(":")[0], 16)
    raise LookupError(viewer_port)


def _tcp_state(viewer: Viewer) -> int:
    return viewer.socket.getsockopt(IPPROTO_TCP, TCP_INFO, 1)[0]


if __name__ == "__main__":
    main(prove)
