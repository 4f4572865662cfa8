"""Makes the rules of access from a configuration; a reload makes them anew."""

from __future__ import annotations

import socket

from streamd.config.tables import Config
from streamd.config.walls import EVERYTHING
from streamd.http.access.client_address import TrustedProxies
from streamd.http.access.local_program import LocalPrograms
from streamd.http.access.origins import Origins, own_hosts, sent_as
from streamd.http.access.rules import Identity, Rules
from streamd.http.access.tokens import Tokens
from streamd.http.publishing.delivery import Hook


def make_rules(config: Config, tokens: Tokens) -> Rules:
    """Return the rules of a configuration: who may read, publish and administrate, from which pages.

    :param tokens: the tokens of ``[access]`` and the secrets of hooks, in plain text.
    """
    server, access = config.server, config.access
    told = access.identity
    identity = None if told is None else Identity(told.header, told.admins)
    return Rules(
        tokens,
        identity,
        LocalPrograms(
            publish=not config.file or access.publish == "loopback",
            any_port=not config.file,
            only_unix=bool(server.trusted_proxies or server.url or identity),
        ),
        Origins(
            reading=sent_as(server.origins),
            changing=sent_as(server.writers),
            public=server.url.origin if server.url is not None else "",
            any=not config.file,
            hosts=own_hosts(socket.gethostname(), server.names),
        ),
        {wall.name: wall.selection() for wall in config.walls or (EVERYTHING,)},
        {screen.name: screen.walls_in_turn() for screen in config.screens},
        {name: Hook(name, config.hooks[name], secret) for name, secret in tokens.hooks.items()},
        TrustedProxies.of(proxy.network for proxy in server.trusted_proxies),
    )
