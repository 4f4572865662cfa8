"""Runs the Autobahn test suite, some 300 conversations, against the daemon's own WebSocket as an echo.

The suite is written in Python 2.  Where there is one (``pip2 install autobahntestsuite``), say so::

    WSTEST="python2 -m autobahntestsuite.wstest" make check-conformance

tests/test_conformance.py is the same in our words, and runs everywhere.  Messages longer than 64 KiB
are refused by design, and so are the suite's cases that send them.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from checks.proof import Proof, main
from tests.support.daemon import CHECKOUT, Server
from tests.support.net import free_port

CASES = [*(f"{group}.*" for group in range(1, 8)), "9.7.*", "9.8.*", "10.*", "12.1.*", "13.1.*"]
"""But for 9, limits of megabytes and speed, and for more of 12 and 13: the same with other texts."""

TOO_LONG = {f"{group}.1.{case}" for group in (12, 13) for case in (10, 14, 15, 16, 17, 18)}
"""Messages of 128 KiB."""


def prove(proof: Proof) -> None:
    """Every case is passed strictly; where the RFC leaves a choice, the suite only informs."""
    suite = shlex.split(os.environ.get("WSTEST", ""))
    if not suite:
        proof.claim(False, "WSTEST does not say where the Autobahn test suite is")
        return
    with tempfile.TemporaryDirectory(prefix="streamd-check-") as name:
        folder, port = Path(name), free_port()
        command = [sys.executable, "-m", "tests.support.echo", str(port)]
        server = Server(command, port, folder, {"PYTHONPATH": str(CHECKOUT)})
        server.start()
        try:
            outcome = _run(suite, folder, f"{server.ws_url}/ws")
        finally:
            server.finish()
    bad = {case: found for case, found in outcome.items() if found in ("FAILED", "NON-STRICT")}
    proof.figure(f"{dict(Counter(outcome.values()))} of {len(outcome)} cases")
    proof.claim(len(outcome) > 250, f"{len(outcome)} cases were run")
    proof.claim(set(bad) <= TOO_LONG, f"not passed: {bad or 'none'}; {len(TOO_LONG)} are too long")


def _run(suite: list[str], folder: Path, url: str) -> dict[str, str]:
    spec = {
        "outdir": str(folder / "reports"),
        "servers": [{"agent": "streamd", "url": url}],
        "cases": CASES,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    command = [*suite, "-m", "fuzzingclient", "-s", str(folder / "spec.json")]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=900)
    found = json.loads((folder / "reports" / "index.json").read_text())["streamd"]
    return {
        case: "FAILED" if "FAILED" in (one["behavior"], one["behaviorClose"]) else one["behavior"]
        for case, one in found.items()
    }


if __name__ == "__main__":
    main(prove)
