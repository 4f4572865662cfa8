"""The login at an AMQP broker, and the options that pika negotiates with the broker."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from streamd.sources.brokers.amqp_frames import MAX_FRAME

HEARTBEAT = 5
"""Seconds: a broker that hears nothing for twice as long gives the messages to the next consumer."""

_logger = logging.getLogger("pika")
_logger.addHandler(logging.NullHandler())
_logger.propagate = False  # pika repeats itself; walls and our log get the errors


class AmqpLogin(NamedTuple):
    """The broker, its virtual host, and the credentials there.

    :ivar tls: Twisted's options for TLS; None for connections without it.
    """

    host: str
    port: int
    vhost: str
    user: str
    password: str
    tls: Any


def make_pika(reactor: Any, login: AmqpLogin) -> Any:
    """Return pika's protocol, which is not connected yet."""
    from pika import ConnectionParameters, PlainCredentials
    from pika.adapters.twisted_connection import TwistedProtocolConnection

    parameters = ConnectionParameters(
        login.host,
        login.port,
        login.vhost,
        PlainCredentials(login.user, login.password),
        channel_max=1,
        frame_max=MAX_FRAME,
        heartbeat=HEARTBEAT,
        client_properties={"connection_name": "streamd"},
    )
    return TwistedProtocolConnection(parameters, custom_reactor=reactor)
