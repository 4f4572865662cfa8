"""Signs of a proxy in a request, and the line of configuration that mends a badly set one.  Pure.

The daemon names the line in its refusals and its log, and ``streamd doctor`` prints it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

is_of_proxy = lru_cache(maxsize=256)(
    re.compile(
        r".*(?:forward|prox[iy]|(?:client|remote|real|source)[-_]?(?:ip|addr|host|port|user|cert)).*"
        r"|x-(?:amzn|appengine|appgw|arr|azure|cloud|envoy|host|https?|nginx|original|scheme|sozu|ssl"
        r"|traefik|url-scheme|varnish).*"
        r"|(?:cf|fastly|fly|surrogate|tailscale)-.*|cdn-loop|front-end-https|via"
    ).fullmatch
)
"""Matches the names of headers that proxies add: then the peer is not the client."""


class Cure(NamedTuple):
    """The lines that mend one fault of a proxy, one for each kind of proxy.

    Caddy and HAProxy do some of this by default.  Then the text names the line to remove.
    """

    nginx: str
    haproxy: str
    caddy: str


UPGRADE = Cure(
    nginx="proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    'proxy_set_header Connection "upgrade";',
    haproxy="no line that deletes Upgrade or Connection, and no option httpclose",
    caddy="reverse_proxy 127.0.0.1:5000, without header_up -Upgrade or -Connection",
)
HOST = Cure(
    nginx="proxy_set_header Host $http_host;",
    haproxy="no line http-request set-header Host",
    caddy="no line header_up Host",
)
PREFIX = Cure(
    nginx="location {prefix}/ {{ proxy_pass http://127.0.0.1:5000/; }}",
    haproxy="http-request replace-path {prefix}(/.*) \\1",
    caddy="handle_path {prefix}/* {{ reverse_proxy 127.0.0.1:5000 }}",
)
"""``{prefix}`` stands for the sub-path, without a slash at its end."""

TOLD_PREFIX = Cure(
    nginx="proxy_set_header X-Forwarded-Prefix {prefix};",
    haproxy="http-request set-header X-Forwarded-Prefix {prefix}",
    caddy="header_up X-Forwarded-Prefix {prefix}",
)
FORWARDED_FOR = Cure(
    nginx="proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    haproxy="option forwardfor",
    caddy="no line header_up X-Forwarded-For",
)
FORWARDED_PROTO = Cure(
    nginx="proxy_set_header X-Forwarded-Proto $scheme;",
    haproxy="http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
    caddy="no line header_up X-Forwarded-Proto",
)
BUFFERING = Cure(
    nginx="proxy_buffering off; without proxy_ignore_headers X-Accel-Buffering;",
    haproxy="no compression of text/event-stream",
    caddy="flush_interval -1",
)
IDLE = Cure(
    nginx="proxy_read_timeout 60s; proxy_send_timeout 60s;",
    haproxy="timeout client 60s, timeout server 60s, timeout tunnel 1h",
    caddy="no read_timeout, write_timeout or stream_timeout below 60s",
)
CHAIN = Cure(
    nginx="ssl_certificate fullchain.pem;",
    haproxy="bind :443 ssl crt all.pem (the certificate, the chain and the key)",
    caddy="tls fullchain.pem key.pem, or no line tls",
)
