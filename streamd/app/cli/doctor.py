"""``streamd doctor``: find faults between a browser and a daemon."""

from __future__ import annotations

import os
from typing import Any

from streamd.app.cli.arguments import Commands, command
from streamd.app.cli.daemon_url import DaemonUrl
from streamd.app.cli.examination import Finding, examine
from streamd.app.cli.output import answer, fail
from streamd.core.duration import parse_duration

MORE = """
It asks from outside, as a browser does: through every proxy. Each check prints a line, and if something
is wrong also the line that nginx, HAProxy, Caddy or streamd.toml needs. It publishes nothing.
$STREAMD_TOKEN is its token, which it sends only if the certificate is valid.
"""

HOLD = "30s"
"""The default for ``--hold``: the daemon sends something to a silent viewer every 25 s."""


def add_parser(commands: Commands) -> None:
    parser = command(commands, "doctor", doctor, "Say what is wrong with the way to a daemon", MORE)
    parser.add_argument("url", help="the address of the wall: https://wall.example.org/")
    parser.add_argument(
        "--hold",
        default=HOLD,
        metavar="TIME",
        help=f"how long silent connections have to stay open; 0s: not tried [default: {HOLD}]",
    )


def doctor(arguments: Any) -> None:
    """Print the findings.

    :raises SystemExit: 1 if something is wrong.
    """
    try:
        url, hold = DaemonUrl.parse(arguments.url), parse_duration(arguments.hold)
    except ValueError as error:
        fail([str(error)])
    wrong = 0
    for finding in examine(url, os.environ.get("STREAMD_TOKEN", "").strip(), hold):
        wrong += finding.wrong
        _tell(finding)
    if wrong:
        raise SystemExit(1)


def _tell(finding: Finding) -> None:
    answer(f"{'wrong' if finding.wrong else 'ok':6}{finding.name:12}{finding.text}")
    if finding.line:
        answer(f"      streamd.toml, [server]: {finding.line}")
    for proxy, line in finding.cure._asdict().items() if finding.cure else ():
        answer(f"      {proxy}: {line}")
