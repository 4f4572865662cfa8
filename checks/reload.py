"""Proves that nobody is dropped, and that nothing that is unchanged starts again, over twenty reloads.

- 500 viewers read two streams.  The configuration is changed and reloaded 20 times.  One of the files
  has a mistake, and one is empty.
- No viewer is dropped, and the daemon goes on with the last good file after a bad one.
- A source that is unchanged starts once.  One that changes with each good file starts once for each.
"""

from __future__ import annotations

import os
import signal
import time

from checks.crowd import Crowd
from checks.proof import Daemon, Proof, main, running

RELOADS = 20
BROKEN, EMPTY = 7, 13
"""The numbers of the reloads with a bad file."""

WITHIN = 5.0
"""Seconds from SIGHUP until the daemon tells the outcome in its log."""

TEXT = """
[sources.steady]
command = "echo x >> steady.starts; while true; do echo 1; sleep 0.1; done"
[sources.changing]
command = "echo x >> changing.starts; while true; do echo {number}; sleep 0.1; done"
[streams.steady]
title = "Number {number}"
"""

OUTCOMES = "the configuration was read again", "the configuration is unchanged"


def prove(proof: Proof, viewers: int = 500, reloads: int = RELOADS) -> None:
    with running(config=TEXT.format(number=0)) as daemon, Crowd(daemon.port) as crowd:
        crowd.gather(viewers)
        took = []
        for number in range(1, reloads + 1):
            took.append(_reload(daemon, crowd, number, proof))
        good = [number for number in range(1, reloads + 1) if number not in (BROKEN, EMPTY)]
        shown = f'{{"changing":{good[-1]}}}'.encode()
        crowd.run(WITHIN * proof.patience, lambda: all(v.newest == shown for v in crowd.viewers))
        dropped = sum(viewer.ended for viewer in crowd.viewers)
        proof.claim(not dropped, f"{dropped} of {viewers} viewers were dropped")
        title = daemon.request("GET", "/streams").json()["streams"]["steady"]["title"]
        proof.claim(
            title == f"Number {good[-1]}", f"the title is that of the last good file: {title}"
        )
        starts = [
            (daemon.folder / f"{name}.starts").read_text().count("x")
            for name in ("steady", "changing")
        ]
        wanted = [1, 1 + len(good)]
        proof.claim(starts == wanted, f"the sources started {starts} times; wanted {wanted}")
    proof.claim_times(took, WITHIN, "from SIGHUP to the outcome")


def _reload(daemon: Daemon, crowd: Crowd, number: int, proof: Proof) -> float:
    """Save a file and reload; return the seconds until the log has the outcome."""
    text = {BROKEN: "[streams.steady]\nkeep = 0\n", EMPTY: ""}.get(number)
    draft = daemon.folder / "streamd.draft"
    draft.write_text(TEXT.format(number=number) if text is None else text)
    draft.rename(daemon.folder / "streamd.toml")  # in one step, or the half of it is told as broken
    before, begin = _outcomes(daemon), time.monotonic()
    os.kill(daemon.pid, signal.SIGHUP)  # `tell` is for signals that may end it
    crowd.run(4 * WITHIN * proof.patience, lambda: _outcomes(daemon) > before)
    took = time.monotonic() - begin
    crowd.run(0.5)  # its sources start meanwhile
    return took


def _outcomes(daemon: Daemon) -> int:
    log = daemon.log()
    return sum(log.count(outcome) for outcome in OUTCOMES)


if __name__ == "__main__":
    main(prove)
