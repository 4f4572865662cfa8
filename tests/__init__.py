"""The tests, in three rings.

The pure floors with plain values and a Clock (SynchronousTestCase: `make trial` runs these alone),
the edges over real TCP on port 0 (`async def`, on the reactor), and the installed daemon as a
process, with a real browser and real servers (the fixtures of conftest.py).
"""

import os

from hypothesis import HealthCheck, settings

# How long a test of hypothesis takes says something about the machine, and nothing about us.  Each run
# tries the same examples, so that a test fails because of a change and never by chance: `make trial
# EXAMPLES=new` looks for other ones.  Trial reads no conftest.py.
settings.register_profile(
    "patient",
    deadline=None,
    derandomize=os.environ.get("EXAMPLES") != "new",
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")
