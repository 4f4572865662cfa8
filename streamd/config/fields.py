"""Types of configuration values that are parsed from a text, and the error for invalid ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from streamd.core.parsed_text import FormedText, ParsedText


class ConfigError(Exception):
    """The configuration cannot be used.

    :ivar problems: a line for each mistake, with its key path.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class Problems(list[str]):
    """Collects the problems of a configuration, so that all are reported together."""

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Add the problems of a :class:`ConfigError` that the ``with`` block raises."""
        try:
            yield
        except ConfigError as error:
            self.extend(error.problems)

    def check(self) -> None:
        """Raise a :class:`ConfigError` with the problems, if there are any."""
        if self:
            raise ConfigError(self)


class Size(int):
    """A number of bytes, written ``"64KiB"``, ``"256MiB"`` or ``"1GiB"``."""

    _FORM = re.compile(r"([0-9]{1,9})\s*(B|KiB|MiB|GiB)")
    _UNITS = ("B", "KiB", "MiB", "GiB")

    @classmethod
    def parse(cls, written: Any) -> Size:
        match = cls._FORM.fullmatch(written) if isinstance(written, str) else None
        if not match:
            raise ValueError('expected a size such as "64KiB" or "256MiB"')
        return cls(int(match[1]) * 1024 ** cls._UNITS.index(match[2]))


DEFAULT_PORT = {"http": 80, "https": 443}
"""The ports that browsers leave out of an origin."""


class Origin(str):
    """An origin of pages as browsers send it: ``https://intranet.example``, or ``null``."""

    @classmethod
    def parse(cls, written: Any) -> Origin:
        """Return the origin in lower case and without a default port.

        :raises ValueError: the message suggests the origin that is probably meant.
        """
        if written == "null":
            return cls(written)
        if not isinstance(written, str) or "*" in written:
            raise ValueError(
                'expected one origin such as "https://intranet.example"; there is no wildcard'
            )
        if written.lower().startswith(("file:", "null")):
            raise ValueError('expected "null", which stands for all pages opened from disk')
        meant = _origin(written)
        if meant is None:
            raise ValueError('expected an origin such as "https://intranet.example"')
        port = f":{DEFAULT_PORT[meant.partition(':')[0]]}"
        if written.lower().removesuffix("/").removesuffix(port) != meant:
            raise ValueError(f'expected a scheme, a host and a port; did you mean "{meant}"?')
        return cls(meant)


def _origin(written: str) -> str | None:
    """Return the origin of an address, which may lack its scheme; None if it has no origin."""
    scheme, colon, rest = written.partition("://")
    scheme = {"ws": "http", "wss": "https"}.get(scheme.lower(), scheme.lower()) if colon else "http"
    try:
        parts = urlsplit(f"{scheme}://{rest if colon else written}")
        host, port = _host(parts.hostname or ""), parts.port
    except ValueError:  # UnicodeError, too
        return None
    if scheme not in DEFAULT_PORT or port == 0:
        return None
    return f"{scheme}://{host}" + (f":{port}" if port not in (None, DEFAULT_PORT[scheme]) else "")


def _host(name: str) -> str:
    """Return a host as browsers write it (RFC 5952, RFC 5890).

    :raises ValueError: the name is not a host, or a number that browsers take for an address.
    """
    if ":" in name:
        return f"[{ip_address(name)}]"
    name = name.encode("idna").decode()
    if not _HOST.fullmatch(name):
        raise ValueError
    return str(ip_address(name)) if name.rstrip(".").rpartition(".")[2].isdecimal() else name


class PublicUrl(str):
    """The public address of the wall, with a slash at its end: ``https://wall.example.org/floor2/``.

    :ivar origin: the origin of its pages.
    :ivar host: its host, as in the header ``Host``, without a port.
    :ivar prefix: its sub-path without a slash at the end; empty if it has none.
    """

    _FORM = re.compile(r"(?i:https?)://[^/?#@]+((?:/[A-Za-z0-9._~-]+)*)/?")

    origin: str
    host: str
    prefix: str

    @classmethod
    def parse(cls, written: Any) -> PublicUrl:
        match = cls._FORM.fullmatch(written) if isinstance(written, str) else None
        origin = _origin(match[0]) if match else None
        if match is None or origin is None:
            raise ValueError('expected an address such as "https://wall.example.org/"')
        made = cls(f"{origin}{match[1]}/")  # browsers write scheme and host in lower case
        made.origin, made.prefix = origin, match[1]
        made.host = re.sub(r":[0-9]+$", "", origin.partition("://")[2])
        return made


_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")


CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""The environment variable with the folder of the service's credentials (systemd.exec(5))."""


class Secret(ParsedText):
    """A secret, or a reference to it; its repr never shows the secret.

    It is written ``"…"``, ``{ env = "NAME" }``, ``{ file = "…" }`` or ``{ credential = "NAME" }``.  A
    credential is a file in the folder that systemd gives the service (``LoadCredential=``).
    """

    def __init__(
        self,
        text: str | None = None,
        env: str | None = None,
        file: str | None = None,
        credential: str | None = None,
    ) -> None:
        self.text, self.env, self.file, self.credential = text, env, file, credential

    @classmethod
    def parse(cls, written: Any) -> Secret:
        if isinstance(written, str) and written:
            return cls(text=written)
        if isinstance(written, dict) and len(written) == 1:
            ((key, value),) = written.items()
            if key in ("env", "file") and isinstance(value, str) and value:
                return cls(**{key: value})
            if key == "credential" and isinstance(value, str) and _CREDENTIAL.fullmatch(value):
                return cls(credential=value)
        raise ValueError(
            'expected a text, { env = "NAME" }, { file = "…" } or { credential = "NAME" }'
        )

    def reveal(self, environ: Mapping[str, str], read: Callable[[str], str]) -> str:
        """Return the text of the secret.

        :param read: a function that takes the name of a file in the configuration and returns its text.
        :raises ValueError: the message names the variable or file that is missing or empty.
        """
        if self.env is not None:
            found, place = environ.get(self.env, ""), f"the environment variable {self.env}"
        elif self.file is not None:
            try:
                found, place = read(self.file), self.file
            except (OSError, UnicodeError) as error:
                raise ValueError(f"cannot read {self.file}: {error}") from None
        elif self.credential is not None:
            found, place = _credential(self.credential, environ, read), self.credential
        else:
            found, place = self.text or "", "it"
        if not found.strip():
            raise ValueError(f"{place} is empty or not set")
        return found.strip()

    def __repr__(self) -> str:
        return f"Secret({self.env or self.file or self.credential or '…'})"


_CREDENTIAL = re.compile(r"(?!\.\.?$)[^/\0-\x1f\x7f:]{1,255}")

FOR_SERVICE = "can be read only by the service itself"
"""The end of the error for a credential that this process may not read, as in ``ExecReload=``."""

_OF_FOLDER = "secrets_"
"""The beginning of the names of a whole folder: ``LoadCredential=secrets:/etc/streamd/secrets``."""


def _credential(name: str, environ: Mapping[str, str], read: Callable[[str], str]) -> str:
    """Return the text of a credential.

    :raises ValueError: there is none; the message has the line to add to the unit.
    """
    folder = environ.get(CREDENTIALS, "")
    if not folder:
        raise ValueError(
            f"systemd gave this process no credentials (${CREDENTIALS} is not set); "
            f"add to its unit LoadCredential={name}:/etc/streamd/secrets/{name}"
        )
    for file in (name, _OF_FOLDER + name):
        try:
            return read(f"{folder}/{file}")
        except FileNotFoundError:
            continue
        except PermissionError:
            raise ValueError(f"the credential {name} {FOR_SERVICE}") from None
        except (OSError, UnicodeError) as error:
            raise ValueError(f"cannot read the credential {name}: {error}") from None
    raise ValueError(
        f"there is no credential {name}; write it to /etc/streamd/secrets/{name}, and restart"
    )


def secret_variables(value: Any) -> Iterator[str]:
    """Yield the name in each ``{ env = "NAME" }`` of a document, even where a secret is not allowed.

    A ``{ credential = "NAME" }`` yields the variable with the folder of all credentials.
    """
    if isinstance(value, list):
        for member in value:
            yield from secret_variables(member)
    elif isinstance(value, dict):
        if isinstance(value.get("env"), str):
            yield value["env"]
        if isinstance(value.get("credential"), str):
            yield CREDENTIALS
        yield from secret_variables(list(value.values()))


class TrustedProxy(ParsedText):
    """A proxy whose forwarding headers count: an address, a network, or ``"unix"``.

    :ivar network: the network; None for the peers on unix sockets.
    """

    def __init__(self, network: IPv4Network | IPv6Network | None) -> None:
        self.network = network

    @classmethod
    def parse(cls, written: Any) -> TrustedProxy:
        if written == "unix":
            return cls(None)
        network = _network(written, strict=False)
        if network is None:
            raise ValueError(
                'expected an address such as "127.0.0.1", a network such as "10.0.0.0/8", or "unix"'
            )
        if _network(written) is None:
            raise ValueError(f'expected the first address of a network; did you mean "{network}"?')
        return cls(network)


def _network(written: Any, strict: bool = True) -> IPv4Network | IPv6Network | None:
    """Parse a network; IPv4-mapped IPv6 becomes IPv4.  Return None for any other text.

    :param strict: whether bits beyond the prefix have to be 0.
    """
    if not isinstance(written, str):
        return None  # Python would take a number for an address
    try:
        network = ip_network(written, strict)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is not None and network.prefixlen >= 96:
        return IPv4Network((mapped, network.prefixlen - 96))
    return network


class Timezone(FormedText):
    """A time zone by its name in the IANA database: ``Europe/Berlin``, ``UTC``."""

    FORM = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")

    EXPECTED = 'expected a time zone such as "Europe/Berlin"'

    @classmethod
    def parse(cls, written: Any) -> Self:
        """Parse a configured value; a ValueError suggests the name that is probably meant.

        A machine without time zones accepts every name of the right form, because the browser has its
        own.
        """
        zone, known = super().parse(written), available_timezones()
        if known and written not in known:
            near = get_close_matches(written, known, 1)
            raise ValueError(f'unknown time zone; did you mean "{(near or ["Europe/Berlin"])[0]}"?')
        return zone

    def zone(self) -> ZoneInfo | None:
        """Return the zone's rules; None if this machine has no database of them."""
        try:
            return ZoneInfo(self)
        except ZoneInfoNotFoundError:
            return None


class Language(FormedText):
    """A language by its tag in BCP 47, without extensions: ``de``, ``en-GB``, ``zh-Hant-TW``."""

    FORM = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
    EXPECTED = 'expected a language such as "de" or "en-GB"'
