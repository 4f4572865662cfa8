"""Proves that the memory of gone viewers goes back to the system.

Two thousand viewers come, stay a few seconds and go all at once; three times.  After each time the
daemon's memory comes back to what it was before the first, plus MORE for what a first crowd leaves
behind for good (code that had not run, tables that do not shrink), and does not grow from time to time.
"""

from __future__ import annotations

import time

from checks.crowd import Crowd
from checks.proof import MIB, Proof, main, memory, running, settled

MORE = 12 * MIB
GROWTH = 4 * MIB
"""From the first time to the last: a leak of a KiB a viewer would be as much."""

BACK_WITHIN = 25.0
"""Seconds: the daemon looks every ten."""


def prove(
    proof: Proof,
    viewers: int = 2000,
    times: int = 3,
    stay: float = 3.0,
    patience: float = BACK_WITHIN,
) -> None:
    """:param stay: seconds.

    :param patience: seconds for the memory to come back.
    """
    with running() as daemon, Crowd(daemon.port) as crowd:
        crowd.gather(20)
        crowd.leave()
        time.sleep(1)
        first = memory(daemon.pid)
        proof.figure(f"{first / MIB:.1f} MiB before")
        after: list[int] = []
        for _ in range(times):
            crowd.gather(viewers)
            crowd.run(stay)
            most = memory(daemon.pid)
            crowd.leave()
            most_left = min(first + MORE, after[0] + GROWTH) if after else first + MORE
            after.append(settled(daemon.pid, most_left, patience))
            each = (most - first) / viewers / 1024
            proof.figure(f"{most / MIB:.1f} MiB with {viewers} viewers, {each:.1f} KiB each")
            proof.claim_memory(after[-1] - first, MORE, "when they are gone")
        proof.claim_memory(after[-1] - after[0], GROWTH, "after the last time than after the first")


if __name__ == "__main__":
    main(prove)
