"""The checks of ``streamd doctor``: faults on the way to a daemon, and the lines that mend them."""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from streamd import __version__
from streamd.app.cli.daemon_url import DaemonUrl
from streamd.app.cli.probe import FAILURES, Probe, ProbedWebSocket, Reply
from streamd.http.access.proxies import (
    BUFFERING,
    CHAIN,
    FORWARDED_FOR,
    FORWARDED_PROTO,
    HOST,
    IDLE,
    PREFIX,
    TOLD_PREFIX,
    UPGRADE,
    Cure,
)

DAYS = 14
"""Days for which a certificate has to be valid: Let's Encrypt renews 30 days before the end."""

SKEW = 5.0
"""Seconds by which the clocks may differ, besides the time of the answer."""

STREAM_FOR = 3
"""Seconds for which the event stream lasts that shows whether a proxy holds it back."""

INVENTED = "192.0.2.1"
"""An address of TEST-NET-1 (RFC 5737), which no client has."""

SILENT = "streams=streamd.doctor"
"""A selection of no stream: its viewers hear only pings, every 25 s."""


class Finding(NamedTuple):
    """The result of one check.

    :ivar wrong: whether the check found a fault.
    :ivar cure: the lines for proxies.
    :ivar line: the line for ``[server]`` in ``streamd.toml``.
    """

    name: str
    text: str
    wrong: bool = False
    cure: Cure | None = None
    line: str = ""


class Patient(NamedTuple):
    """The findings of the first answer.

    :ivar about: the answer of ``GET /reached``.
    :ivar direct: whether the answer has no sign of a proxy.
    :ivar local: the address of this end of the connection.
    """

    probe: Probe
    about: Mapping[str, Any]
    direct: bool
    local: str

    @property
    def url(self) -> DaemonUrl:
        return self.probe.url


def examine(
    url: DaemonUrl, token: str, hold: float, source: str | None = None
) -> Iterator[Finding]:
    """Yield the findings, each as soon as it is known.

    :param token: a token to check, without changing anything; empty for none.
    :param hold: the seconds for which silent connections have to stay open; 0 for no such check.
    :param source: the address of this end; None lets the system choose.
    """
    verified = True
    if url.scheme == "https":
        found = _safely(
            "server", lambda: check_certificate(Probe(url, "", source).certificate(), time.time())
        )
        verified = not found.wrong
        yield found
        if found.name == "server":
            return
    probe = Probe(url, token, source, verified)
    asked = time.time()
    try:
        reply = probe.ask("reached")
    except FAILURES as error:
        yield _unreachable(error)
        return
    answered = time.time()
    found = check_server(url, reply)
    yield found
    if found.wrong:
        return
    about = reply.json()
    adds_tls = url.scheme == "https" and not about.get("tls")
    direct = not adds_tls and not {"server", "via"} & reply.headers.keys()
    patient = Patient(probe, about, direct, reply.local)
    yield from _of_address(patient)
    yield _safely("client", lambda: check_client(patient))
    yield _safely("origin", lambda: check_origin(probe))
    yield _safely("websocket", lambda: check_upgrade(probe))
    yield _safely("events", lambda: check_events(probe.ask(f"events?for={STREAM_FOR}s&{SILENT}")))
    if hold:
        yield _safely("idle", lambda: check_idle(probe, hold))
    yield _safely("token", lambda: check_token(probe, token, verified))
    yield check_clock(float(patient.about.get("now", 0)), asked, answered)
    yield check_version(str(patient.about.get("version", "")))


def _safely(name: str, check: Callable[[], Finding]) -> Finding:
    """Return the finding of a check; a connection that fails is one, too."""
    try:
        return check()
    except ssl.SSLCertVerificationError as error:
        return _bad_certificate(error)
    except FAILURES as error:
        return _unreachable(error)._replace(name=name)


def _unreachable(error: Exception) -> Finding:
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Finding("server", f"no answer: {' '.join(str(why).split())}", wrong=True)


def check_certificate(certificate: Mapping[str, Any], now: float) -> Finding:
    """Return how long the certificate is still valid."""
    days = int((ssl.cert_time_to_seconds(certificate["notAfter"]) - now) / 86400)
    text = f"valid for {days} more days"
    return Finding("certificate", text, wrong=days < DAYS)


def _bad_certificate(error: ssl.SSLCertVerificationError) -> Finding:
    text = f"not valid: {error.verify_message}"
    if error.verify_code not in (20, 21):  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, …_LEAF_…
        return Finding("certificate", text, wrong=True)
    text = "the chain is not complete, or its root is not known here ($SSL_CERT_FILE)"
    return Finding("certificate", text, wrong=True, cure=CHAIN)


def check_server(url: DaemonUrl, reply: Reply) -> Finding:
    """Return which server answers ``GET /reached``."""
    if reply.status == 200 and "address" in reply.json():
        return Finding("server", f"streamd answers at {url}")
    wrong = Finding("server", f"the answer is {reply.status}, and not of streamd", wrong=True)
    if reply.code == "unknown-host":
        is_own = f" {url.host}" in reply.message
        text = f"unknown to streamd: {reply.message.partition(';')[0]}"
        found = Finding("host", text, wrong=True, line=f'url = "{url}"')
        return found if is_own else found._replace(cure=HOST)
    if reply.code == "not-found" and url.prefix:
        text = f"the proxy does not remove {url.prefix} from the path"
        return Finding("prefix", text, wrong=True, cure=_filled(PREFIX, url))
    if reply.code == "not-found":
        return wrong._replace(text=f"streamd is older than this command, {__version__}")
    if reply.code:
        return wrong._replace(text=reply.message)
    if reply.status == 401:
        text = (
            f"a proxy asks for a password: {url.scheme}://USER:PASSWORD@{url.authority}{url.path}"
        )
        return wrong._replace(text=text)
    if "location" in reply.headers:
        return wrong._replace(text=f"it moved to {reply.headers['location'].partition('?')[0]}")
    if reply.status in (502, 503, 504):
        return wrong._replace(text=f"the proxy does not reach streamd (status {reply.status})")
    return wrong


def _filled(cure: Cure, url: DaemonUrl) -> Cure:
    return Cure(*(line.format(prefix=url.prefix) for line in cure))


def _of_address(patient: Patient) -> Iterator[Finding]:
    """Yield whether host, scheme and sub-path reach the daemon.

    The last two are known only if the proxy is trusted.
    """
    url, told = patient.url, urlsplit(str(patient.about["address"]))
    default = ":443" if told.scheme == "https" else ":80"
    host = told.netloc.removesuffix(default)
    if host != url.authority:
        text = f"streamd hears {host} instead of {url.authority}"
        yield Finding("host", text, wrong=True, cure=HOST, line=f'url = "{url}"')
    else:
        yield Finding("host", f"streamd hears {host}")
    if patient.about["proxy"] != "trusted":
        return
    if told.scheme != url.scheme:
        text = f"streamd hears {told.scheme} instead of {url.scheme}"
        yield Finding("scheme", text, wrong=True, cure=FORWARDED_PROTO)
    else:
        yield Finding("scheme", f"streamd hears {told.scheme}")
    prefix = told.path.rstrip("/")
    if prefix != url.prefix:
        text = f"streamd hears {prefix or 'no sub-path'} instead of {url.prefix or 'none'}"
        cure = _filled(TOLD_PREFIX, url) if url.prefix else None
        yield Finding("prefix", text, wrong=True, cure=cure)
    else:
        yield Finding("prefix", f"streamd hears {prefix or 'no sub-path'}")


def check_client(patient: Patient) -> Finding:
    """Return whether the daemon gets the address of each client, and no client can invent one."""
    client, proxy = patient.about["client"], patient.about["proxy"]
    if proxy == "unlisted":
        address = {"127.0.0.1": "127.0.0.1", "::1": "::1", "unix": "unix"}.get(client)
        line = f'trusted_proxies = ["{address or "ADDRESS OF THE PROXY"}"]'
        text = "streamd does not trust the proxy, so all its clients count as one"
        return Finding("client", text, wrong=True, line=line)
    if proxy == "none" and not patient.direct:
        text = "a proxy is in between, and tells streamd no address of clients"
        return Finding("client", text, wrong=True, cure=FORWARDED_FOR)
    if proxy == "trusted":
        # A client with the address of a trusted proxy, on that proxy's machine, may name another one.
        forged = patient.probe.ask("reached", {"X-Forwarded-For": INVENTED}).json()
        if forged.get("client") == INVENTED and client != patient.local:
            text = (
                "every client can invent its address: the proxy does not append to X-Forwarded-For"
            )
            return Finding("client", text, wrong=True, cure=FORWARDED_FOR)
    return Finding("client", f"streamd hears the address {client}")


def check_origin(probe: Probe) -> Finding:
    """Return whether the wall's own pages may read."""
    reply = probe.ask("reached", {"Origin": probe.url.origin})
    if reply.status == 200:
        return Finding("origin", f"pages of {probe.url.origin} may read")
    text = f"pages of {probe.url.origin} are refused: {reply.message.partition(';')[0]}"
    return Finding("origin", text, wrong=True, cure=HOST, line=f'url = "{probe.url}"')


def check_upgrade(probe: Probe) -> Finding:
    """Return whether a WebSocket opens, and its first message is a hello."""
    try:
        opened = probe.open_socket(f"?{SILENT}")
        if isinstance(opened, ProbedWebSocket):
            said = opened.message().get("type")
            opened.close()
            return Finding("websocket", f"it opens, and says {said}")
    except FAILURES as error:
        text = f"it does not open: {_unreachable(error).text}"
        return Finding("websocket", text, wrong=True, cure=UPGRADE)
    untried = _untried("websocket", opened)
    if untried is not None:
        return untried
    text = f"it is refused with {opened.status}: {opened.message or 'not by streamd'}".partition(
        ";"
    )[0]
    if opened.code == "foreign-origin":
        return Finding("websocket", text, wrong=True, cure=HOST)
    is_busy = opened.status == 503 and bool(opened.code)
    return Finding("websocket", text, wrong=True, cure=None if is_busy else UPGRADE)


def check_events(reply: Reply) -> Finding:
    """Return whether the first event came at once, and not with the end of the stream."""
    untried = _untried("events", reply)
    if untried is not None:
        return untried
    if not reply.headers.get("content-type", "").startswith("text/event-stream"):
        text = f"the answer is {reply.status}, and no event stream: {reply.message}".rstrip(": ")
        return Finding("events", text, wrong=True)
    if reply.last > 1 and reply.first > reply.last / 2:
        text = f"a proxy holds event streams back: the first event came after {reply.first:.1f} s"
        return Finding("events", text, wrong=True, cure=BUFFERING)
    return Finding("events", f"the first event came after {1000 * reply.first:.0f} ms")


def check_idle(probe: Probe, hold: float) -> Finding:
    """Return whether silent connections stay open for ``hold`` seconds."""

    def hold_socket() -> float | None:
        opened = probe.open_socket(f"?{SILENT}", protocol=None)
        return opened.hold(hold) if isinstance(opened, ProbedWebSocket) else None

    with ThreadPoolExecutor(2) as pool:
        streamed = pool.submit(probe.hold_events, SILENT, hold)
        lasted = {"a WebSocket": pool.submit(hold_socket), "an event stream": streamed}
        ended = {name: future.result() for name, future in lasted.items()}
    opened = {name: seconds for name, seconds in ended.items() if seconds is not None}
    short = [f"{name} after {s:.0f} s" for name, s in opened.items() if s < math.inf]
    if not opened:
        return Finding("idle", "not tried: no connection opens")
    if not short:
        return Finding("idle", f"silent connections stay open for {hold:g} s")
    text = f"a proxy closes silent connections: {', '.join(short)}; streamd is silent for 25 s"
    return Finding("idle", text, wrong=True, cure=IDLE)


def check_token(probe: Probe, token: str, verified: bool) -> Finding:
    """Return whether the daemon knows a token.  The request publishes nothing: its name is invalid."""
    if not token:
        return Finding("token", "not tried: $STREAMD_TOKEN is not set")
    if not verified:
        return Finding("token", "not sent, because the certificate is not valid")
    reply = probe.ask("streams/%20", method="POST")
    if reply.status != 401:
        return Finding("token", "it may publish" if reply.status == 400 else "streamd knows it")
    if probe.ask("streams/%20", {"Streamd-Token": token}, "POST").status != 401:
        text = "only the header Streamd-Token arrives: a proxy uses Authorization for itself"
        return Finding("token", text, wrong=True)
    text = "streamd does not know it" if reply.code else "a proxy asks for a password"
    return Finding("token", text, wrong=True)


def _untried(name: str, reply: Reply) -> Finding | None:
    """Return the finding of a check that needs the right to read; None if that is not missing."""
    if reply.status not in (401, 403) or reply.code in ("", "foreign-origin"):
        return None
    return Finding(name, f"not tried: {reply.message}")


def check_clock(told: float, asked: float, answered: float) -> Finding:
    """Return whether the daemon's clock agrees with the one here; times are seconds since the epoch.

    :param told: the daemon's time in its answer.
    :param asked: the time here before the request; ``answered`` is the time after the answer.
    """
    skew = told - (asked + answered) / 2
    if abs(skew) <= SKEW + (answered - asked) / 2:
        return Finding("clock", "the clocks agree")
    side = "ahead of" if skew > 0 else "behind"
    text = f"streamd's clock is {abs(skew):.0f} s {side} this one: let NTP set both"
    return Finding("clock", text, wrong=True)


def check_version(version: str) -> Finding:
    """Return whether the daemon and this command have the same version."""
    if version == __version__:
        return Finding("version", f"streamd {version}")
    text = f"the daemon is streamd {version}, this command {__version__}: update the older one"
    return Finding("version", text, wrong=True)
