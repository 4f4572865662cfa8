"""The tests, in three rings.

The pure floors with plain values and a Clock (SynchronousTestCase: `make trial` runs these alone),
the edges over real TCP on port 0 (`async def`, on the reactor), and the installed daemon as a
process, with a real browser and real servers (the fixtures of conftest.py).
"""
