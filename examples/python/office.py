"""What an office knows: each function is called by streamd.toml."""

import random
import time
from collections.abc import Iterator
from typing import Any


def queue_depth() -> int:
    """A plain function runs in a thread: it may block, and stalls nobody."""
    time.sleep(0.1)
    return random.randint(0, 100)


async def room() -> dict[str, Any]:
    """An object becomes one stream a member: room.temperature and room.free."""
    return {"temperature": round(random.gauss(21, 0.5), 1), "free": random.random() < 0.5}


def visitors() -> Iterator[int]:
    """A generator says what is when it likes."""
    count = 0
    while True:
        time.sleep(random.uniform(0.2, 2))
        count += 1
        yield count
