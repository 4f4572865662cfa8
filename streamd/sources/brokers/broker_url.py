"""Message brokers: their addresses and certificates, and why they cannot be reached."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from socket import gaierror
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from twisted.internet.defer import TimeoutError as TwistedTimeoutError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
    TCPTimedOutError,
)
from twisted.internet.error import TimeoutError as ConnectTimeoutError

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError
from streamd.config.kind import Surroundings
from streamd.core.parsed_text import ParsedText
from streamd.sources.errors import SourceError, Unreachable

_LATE = (
    TimeoutError,
    TwistedTimeoutError,
    ConnectTimeoutError,
    ConnectingCancelledError,
    TCPTimedOutError,
)

NO_ANSWER = "the broker does not answer"

_REASONS: Mapping[str, tuple[type[BaseException], ...]] = {
    "the host of the broker is not known": (gaierror, DNSLookupError),
    "the broker closed the connection": (ConnectionResetError, BrokenPipeError, ConnectionClosed),
    "the broker does not accept connections": (OSError, ConnectError),
}
"""What walls show, and the errors of Python and Twisted that mean it; the first that fits counts."""


class BrokerUrl(ParsedText):
    """The URL of a broker, such as ``mqtt://user:password@host:1883``; the repr shows no password.

    :ivar tls: whether the connection is encrypted.
    """

    PORTS: ClassVar[Mapping[str, int]] = {}
    """The schemes, the one for TLS last, and their ports."""

    def __init__(self, written: str) -> None:
        parts = urlsplit(written)
        self.tls = parts.scheme == [*self.PORTS][-1]
        self.host = parts.hostname or "localhost"
        self.port = parts.port or self.PORTS[parts.scheme]
        self.user = unquote(parts.username or "")
        self.password = unquote(parts.password or "")
        self.path = unquote(parts.path.removeprefix("/"))
        if parts.query or parts.fragment or parts.port == 0:
            raise ValueError

    @classmethod
    def parse(cls, written: Any) -> BrokerUrl:
        scheme = next(iter(cls.PORTS))
        wanted = f'expected a URL such as "{scheme}://localhost" or "{scheme}://user@host:1234"'
        if not isinstance(written, str) or not written.startswith(
            tuple(f"{scheme}://" for scheme in cls.PORTS)
        ):
            raise ValueError(wanted)
        try:
            return cls(written)
        except ValueError:  # what it says quotes the URL
            raise ValueError(wanted) from None


def tls_context(
    path: str, surroundings: Surroundings, ca: str | None, certificate: str | None, key: str | None
) -> ssl.SSLContext:
    """Return the settings of TLS for a connection to a broker.

    :param path: the key path of the source's table.
    :param ca: a file with the certificates of authorities to trust; None for the machine's.
    :param certificate: a file with the certificate that the broker asks for, or None.
    :param key: a file with the private key of the certificate; None if the key is in the same file.
    :raises ConfigError: if a file cannot be used.
    """
    name, file = "ca", ca
    try:
        for name, file in (("ca", ca), ("certificate", certificate), ("key", key)):
            given = surroundings.base / (file or "")
            if file is not None and given.exists() and not given.is_file():
                # To open a named pipe could block.
                raise ConfigError([f"{path}.{name}: cannot use {file}: it is not a regular file"])
        name, file = "ca", ca
        context = ssl.create_default_context(cafile=ca and str(surroundings.base / ca))
        if certificate is not None:
            name, file = "certificate", certificate
            private = None if key is None else str(surroundings.base / key)
            # An empty password: OpenSSL would ask at the terminal.
            context.load_cert_chain(str(surroundings.base / certificate), private, lambda: b"")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigError([f"{path}.{name}: cannot use {file}: {error}"]) from None
    return context


def twisted_tls(
    path: str,
    surroundings: Surroundings,
    host: str,
    ca: str | None,
    certificate: str | None,
    private_key: str | None,
) -> Any:
    """Return the settings of TLS for a connection that Twisted makes to a broker.

    :param host: the name that the broker's certificate must have.
    :param ca: see :func:`tls_context`, also for the other files.
    :raises ConfigError: if a file cannot be used, or if a package is missing.
    """
    try:
        from OpenSSL import crypto
        from twisted.internet import ssl as twisted_ssl
    except ImportError:
        raise ConfigError([f"{path}.url: {needs_extra('TLS', 'pyOpenSSL', 'amqp')}"]) from None
    # Python's own module reads the files first: its errors name them, and it asks for no password.
    tls_context(path, surroundings, ca, certificate, private_key)
    trust = own = None
    more: dict[str, Any] = {}
    if ca is not None:
        certificates = map(twisted_ssl.Certificate.loadPEM, _blocks(surroundings.base / ca))
        trust = twisted_ssl.trustRootFromCertificates([*certificates])
    if certificate is not None:
        first, *chain = _blocks(surroundings.base / certificate)
        key = (surroundings.base / (private_key or certificate)).read_bytes()
        own = twisted_ssl.PrivateCertificate.loadPEM(key + b"\n" + first)
        load = partial(crypto.load_certificate, crypto.FILETYPE_PEM)
        more["extraCertChain"] = [*map(load, chain)]
    return twisted_ssl.optionsForClientTLS(host, trust, own, extraCertificateOptions=more)


def _blocks(file: Path) -> list[bytes]:
    """Return the certificates of a file, each as PEM."""
    return re.findall(
        b"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", file.read_bytes(), re.DOTALL
    )


def explain(error: BaseException) -> Exception:
    """Return why there is no connection to the broker, as an error that walls may show.

    :param error: of Python, Twisted or pyOpenSSL; its text, with addresses, is for the log only.
    """
    detail, module = f"({type(error).__name__}: {error})", type(error).__module__
    if module.startswith("service_identity") or "certificate verify failed" in str(error):
        return Unreachable("the certificate of the broker is not trusted", detail)
    if module.startswith("OpenSSL") or isinstance(error, ssl.SSLError):
        return Unreachable("the broker does not speak TLS as expected", detail)
    if isinstance(error, _LATE):
        return Unreachable(NO_ANSWER)
    for text, kinds in _REASONS.items():
        if isinstance(error, kinds):
            return Unreachable(text, detail)
    return error if isinstance(error, Exception) else SourceError("cancelled")
