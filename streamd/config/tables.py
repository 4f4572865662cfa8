"""The tables of ``streamd.toml`` as frozen structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Annotated, Literal, NamedTuple

import msgspec

from streamd.config.access import IdentitySettings, TokenEntry
from streamd.config.alerts import AlertTable
from streamd.config.fields import Language, Origin, PublicUrl, Size, Timezone, TrustedProxy
from streamd.config.hooks import HookTable
from streamd.config.kind import SourceTable
from streamd.config.own_pages import OwnPages
from streamd.config.screens import ScreenTable
from streamd.config.walls import Wall
from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.quota import SHARE
from streamd.core.template import Template
from streamd.wire.requests import PACE

Rate = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
"""How many a second; 0 for any number."""

HostName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([^/:*\s]+|\[?[0-9A-Fa-f:.]+\]?)\Z",
        description='a name such as "wall.example.org", without scheme and port',
    ),
]
"""A host in the header ``Host``.  One with a scheme or a port would equal none."""

FrameAncestor = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(https?://(\*\.)?[A-Za-z0-9.-]+(:([0-9]{1,5}|\*))?|https?:|\*)$",
        description="an origin such as https://intranet.example, or *",
    ),
]
"""An origin whose pages may show the wall in a frame, as a CSP source (CSP Level 3, section 2.3.1)."""


class RateSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[server.rates]``: the most of each a second; 0 for any number.

    The defaults let a hundred screens behind one address load the page again at the same time.

    :ivar handshakes: WebSockets that one client address begins.
    :ivar requests: requests of one client address; requests for the files of the page do not count.
    :ivar publishes: publishes, deletions and commands of one client address without a valid token.
    :ivar token_publishes: publishes and deletions with one token.
    """

    handshakes: Rate = 200.0
    requests: Rate = 500.0
    publishes: Rate = 20.0
    token_publishes: Rate = 0.0


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[server]``: who may connect, and the bounds of the daemon.

    :ivar url: the public address, if a proxy is in front.
    :ivar origins: other origins whose pages may read.
    :ivar publish_origins: other origins whose pages may also publish and command screens.
    :ivar language: the language of walls without their own; None for the browser's.
    :ivar timezone: the time zone of walls without their own; None for the machine's.
    :ivar rates: how fast one client may make requests.
    :ivar pages: the folder of the user's own pages; None if the user has none.
    :ivar metrics_port: the number or the endpoint of a port that serves only metrics; None for no
        such port.
    """

    url: PublicUrl | None = None
    origins: tuple[Origin, ...] = ()
    publish_origins: tuple[Origin, ...] = ()
    hosts: tuple[HostName, ...] = ()
    frame_ancestors: tuple[FrameAncestor, ...] = ()
    trusted_proxies: tuple[TrustedProxy, ...] = ()
    pace: Duration = Duration(PACE)
    max_viewers: int = 10_000
    address_share: float = SHARE
    max_streams: int = 10_000
    max_state: Size = Size(256 * 2**20)
    forget: Duration = Duration(24 * 3600)
    language: Language | None = None
    timezone: Timezone | None = None
    pages: OwnPages | None = None
    metrics_port: int | str | None = None
    rates: RateSettings = RateSettings()

    @property
    def names(self) -> tuple[str, ...]:
        """The configured host names of the daemon: ``hosts``, and the host of ``url``."""
        return self.hosts if self.url is None else (*self.hosts, self.url.host)

    @property
    def writers(self) -> tuple[str, ...]:
        """The origins whose pages may change something: ``publish_origins``, and ``url``'s."""
        own = () if self.url is None else (self.url.origin,)
        return (*self.publish_origins, *own)

    @property
    def zone(self) -> tzinfo | None:
        """The time zone of times in errors; None for the machine's."""
        return None if self.timezone is None else self.timezone.zone()


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[log]``.

    :ivar format: the form of a line; None for ``journal`` under systemd, and ``text`` elsewhere.
    :ivar access: whether each answered request is logged.
    """

    format: Literal["text", "journal", "json"] | None = None
    access: bool = False


class AccessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[access]``: who may read, publish and administrate.

    :ivar view: tokens that allow reading; None if everybody may read, unless there is an identity.
    :ivar publish: tokens, or ``"loopback"`` if programs on this machine may publish without one.
    :ivar admin: tokens that allow everything.
    :ivar metrics: tokens that allow reading the metrics.
    :ivar identity: how trusted proxies name persons; None if they do not.
    """

    view: tuple[TokenEntry, ...] | None = None
    publish: tuple[TokenEntry, ...] | str = ()
    admin: tuple[TokenEntry, ...] = ()
    metrics: tuple[TokenEntry, ...] = ()
    identity: IdentitySettings | None = None


class InfluxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[influx]``: points in the line protocol of InfluxDB.

    :ivar stream: the name of a field's stream.  It may have ``{measurement}``, ``{field}``, ``{TAG}``
        for any tag, and ``{tags}`` for the values of all tags in the order of their names.
    """

    stream: Template = Template("{measurement}.{tags}.{field}")


class Config(NamedTuple):
    """A whole configuration.

    :ivar walls: the walls, with different names; the first one is the default.
    :ivar screens: the tables ``[[screens]]``, with different names.
    :ivar alerts: the tables ``[alerts.NAME]``, by name.
    :ivar hooks: the tables ``[hooks.NAME]``, by name.
    :ivar influx: the table ``[influx]``.
    :ivar journal: the table ``[journal]``, or None for the default.
    :ivar order: the names of sources and streams.  The table that comes first in the file,
        ``sources`` or ``streams``, has its names first.
    :ivar secrets: the environment variables in every ``{ env = "NAME" }`` of the file.
    :ivar file: whether there is a configuration file.  Without one, any program on this machine may
        publish.
    """

    server: ServerSettings = ServerSettings()
    access: AccessSettings = AccessSettings()
    log: LogSettings = LogSettings()
    sources: Mapping[str, SourceTable] = {}
    streams: Mapping[str, Description] = {}
    walls: Sequence[Wall] = ()
    screens: Sequence[ScreenTable] = ()
    alerts: Mapping[str, AlertTable] = {}
    hooks: Mapping[str, HookTable] = {}
    influx: InfluxSettings = InfluxSettings()
    journal: SourceTable | None = None
    secrets: frozenset[str] = frozenset()
    file: bool = False
    order: Sequence[str] = ()
