"""The list of all kinds of sources: streamd's own, and those of installed packages.

To add a kind, write its module in this package and add its ``KIND`` to :data:`SOURCE_KINDS`.
``docs/extending.rst`` has the steps.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from streamd.config.fields import ConfigError
from streamd.config.kind import Kind
from streamd.sources import (
    amqp,
    call,
    command,
    demo,
    events,
    file,
    formula,
    http,
    image,
    kafka,
    listen,
    mqtt,
    promql,
    random_walk,
    redis,
    remote,
    sql,
    web_socket,
)

SOURCE_KINDS: tuple[Kind, ...] = (
    random_walk.KIND,
    listen.KIND,  # before sql: a table with both keys, listen and query, is one of listen
    sql.KIND,
    formula.KIND,
    redis.KIND,
    mqtt.KIND,
    amqp.KIND,
    kafka.KIND,
    command.KIND,
    file.KIND,
    promql.KIND,
    events.KIND,  # before http: both have a url
    http.KIND,
    web_socket.KIND,
    remote.KIND,
    image.KIND,
    call.KIND,
    demo.KIND,
)
"""If a table has no key ``kind``, the first kind is chosen that recognizes the other keys."""

ENTRY_POINTS = "streamd.sources"
"""The group in which other packages offer kinds of sources: each entry point names a ``KIND``."""


def find_kinds() -> tuple[Kind, ...]:
    """Return our own kinds of sources, followed by those that installed packages offer.

    :raises ConfigError: names an entry point that cannot be loaded.
    """
    found = []
    for point in entry_points(group=ENTRY_POINTS):
        try:
            found.append(point.load())
        except Exception as error:
            problem = f"the kind of source {point.value} cannot be loaded: {error}"
            raise ConfigError([problem]) from error
    return (*SOURCE_KINDS, *found)
