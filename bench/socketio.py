"""What a viewer with Socket.IO costs beside a plain one, in one run: `make bench-socketio`.

1000 viewers each, 30 messages a second of 40 bytes, as in workload (a).  The two take turns.
"""

from __future__ import annotations

import statistics

from bench import meter
from bench.servers import SERVERS, Server, Traffic, running
from bench.workloads import CPU, P99, PACED, Figures, count, traffic_of

VIEWERS = 1000
ROUNDS = 3
SECONDS = 3.0

MEMORY = "KiB a viewer"


def measure(server: Server) -> Figures:
    """The cost of a message to one viewer, and of a viewer."""
    traffic = Traffic()
    with running(server, traffic) as there:
        with there.viewers(20):  # whatever is made once is made
            pass
        empty = meter.memory(there.pid)
        with there.viewers(VIEWERS, "--window", str(PACED)) as load, traffic_of(there, traffic):
            taken = (meter.memory(there.pid) - empty) / 1024 / VIEWERS
            return count(there, load, SECONDS) | {MEMORY: taken}


def main() -> None:
    """Measures, and prints the ratios."""
    ratios: dict[str, list[float]] = {CPU: [], MEMORY: []}
    for _ in range(ROUNDS):
        plain, packets = (measure(SERVERS[name]) for name in ("streamd", "streamd socket.io"))
        for name, found in (("plain", plain), ("Socket.IO", packets)):
            told = ", ".join(f"{found[key]:.1f} {key}" for key in (CPU, P99, MEMORY))
            print(f"{name}: {told}", flush=True)
        for key, found_ratios in ratios.items():
            found_ratios.append(packets[key] / plain[key])
    for key, found_ratios in ratios.items():
        print(f"{key}: {statistics.median(found_ratios):.2f} × a plain viewer")


if __name__ == "__main__":
    main()
