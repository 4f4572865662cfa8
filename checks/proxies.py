"""Proves that all of streamd works behind nginx, HAProxy and Caddy, as docs/proxies configures them.

Each proxy speaks TLS, and has one wall at the top of a host and one below a path. Through both go every
transport and a publish; the daemon hears the client's address, whatever the client says itself; and in
Chromium the wall is live, and starts from its service worker while the proxy is down.

    make check-proxies
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Sequence
from contextlib import closing, nullcontext

from playwright.sync_api import Browser, expect
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from checks.proof import Proof, main
from tests.support.browser import WAIT_MS, chromium
from tests.support.proxies import (
    CLIENT,
    KINDS,
    TOKEN,
    Behind,
    Kind,
    Place,
    RealProxy,
    ask,
    behind_proxies,
    tls_socket,
    unconcerned,
)
from tests.support.wall import shows

AT_ONCE = 5.0
"""Seconds until an event has passed a proxy that holds nothing back: a stream lasts longer."""


def prove(
    proof: Proof,
    kinds: Sequence[Kind] = KINDS,
    browser: Browser | None = None,
    walls: Sequence[Kind] = KINDS,
    below: Sequence[bool] = (False, True),
    more: bool = True,
) -> None:
    """Proves it for some proxies.

    :param walls: the proxies behind which a browser shows walls.
    :param below: whether the walls in the browser are below a path.
    :param more: whether nginx also reaches the daemon by its unix socket, and asks for a password.
    """
    with behind_proxies() as here, nullcontext(browser) if browser else chromium() as some:
        expect.set_options(timeout=WAIT_MS)
        # All walls have the origin of a proxy of their own, so one browser has room for them.
        with closing(unconcerned(some)) as tolerant:
            for kind in kinds:
                proxy = here.proxy(kind)
                for place in (proxy.top, proxy.below):
                    claim_place(proof, here.context, place, f"{kind}, {place.path}")
                if kind == "haproxy":
                    claim_place(
                        proof, here.context, proxy.forwarder, "haproxy, PROXY", relayed=True
                    )
                for is_below in below if kind in walls else ():
                    claim_wall(proof, here, tolerant, proxy, is_below, kind)
            if more:
                (here.folder / "users").write_text("ann:{PLAIN}secret\n")
                asking = f'auth_basic "wall"; auth_basic_user_file {here.folder}/users;'
                changes = {"access_log off;": f"access_log off; {asking}"}
                proxy = here.proxy("nginx", changes=changes)
                claim_wall(proof, here, tolerant, proxy, True, "nginx, password", "ann:secret@")
        if more:
            proxy = here.proxy("nginx", unix=True)
            for place in (proxy.top, proxy.below):
                claim_place(proof, here.context, place, f"nginx, unix socket, {place.path}")


def claim_place(
    proof: Proof, context: ssl.SSLContext, place: Place, name: str, relayed: bool = False
) -> None:
    """Claims what the daemon hears of a client, and every transport."""
    about = ask(place, context, "GET", "reached").json()
    kind = "relayed" if relayed else "trusted"
    address = place.url.replace("https", "http") if relayed else place.url
    heard = (about["address"], about["client"], about["proxy"])
    proof.claim(heard == (address, CLIENT, kind), f"{name}: the daemon hears {heard}")
    forged = ask(
        place,
        context,
        "GET",
        "reached",
        X_Forwarded_For="192.0.2.1",
        X_Forwarded_Proto="gopher",
        X_Forwarded_Host="evil.example",
        X_Forwarded_Prefix="/evil",
        Forwarded="for=192.0.2.1",
    ).json()
    heard = (forged["address"], forged["client"], forged["proxy"])
    proof.claim(heard == (address, CLIENT, kind), f"{name}: forged headers change nothing: {heard}")
    if place.path != "/":
        bare = place._replace(path=place.path.rstrip("/"))
        moved = ask(bare, context, "GET", "").headers["Location"] or ""
        proof.claim(moved.endswith(place.path), f"{name}: {bare.path} moves to {moved}")
    value = time.time()
    # With TLS at the forwarder, the daemon does not know the scheme: only the page's own host counts.
    origin = place.url.removesuffix(place.path)
    headers = {"Streamd-Token": TOKEN, "Authorization": "Basic dXNlcjpwYXNz"}
    headers |= {} if relayed else {"Origin": origin}
    status = ask(place, context, "POST", "streams/orders", value, **headers).status
    proof.claim(status == 201, f"{name}: a publish beside a password gets {status}")
    _claim_transports(proof, context, place, name, value)


def _claim_transports(
    proof: Proof, context: ssl.SSLContext, place: Place, name: str, value: float
) -> None:
    with connect(
        place.url.replace("https", "wss") + "ws?streams=orders",
        ssl=context,
        origin=Origin(place.url.removesuffix(place.path)),
        subprotocols=[Subprotocol("streamd.v1")],
    ) as socket:
        types = [json.loads(socket.recv(40))["type"] for _ in range(4)]
    wanted = ["hello", "build", "configuration", "updates"]
    proof.claim(types == wanted, f"{name}: a WebSocket says {types}")
    began = time.monotonic()
    with closing(tls_socket(place, context)) as stream:
        path = f"{place.path}events?format=v1&for=20s&streams=orders"
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{place.port}\r\n\r\n".encode())
        said = b""
        while f"{value}".encode() not in said:
            part = stream.recv(65536)
            if not part:
                break
            said += part
    proof.claim_times([time.monotonic() - began], AT_ONCE, f"{name}: an event has passed")
    poll = ask(place, context, "GET", "updates?streams=orders&after=0-0").json()
    got = [update["value"] for update in poll["updates"]]
    proof.claim(value in got, f"{name}: a poll brings {len(got)} updates")


def claim_wall(
    proof: Proof,
    here: Behind,
    browser: Browser,
    proxy: RealProxy,
    below: bool,
    name: str,
    user: str = "",
) -> None:
    """Claims a wall in Chromium, also while the proxy is down, and when it is back.

    :param user: ``USER:PASSWORD@`` in the address.
    """
    place = proxy.below if below else proxy.top
    address = place.url.replace("//", f"//{user}")

    def publish(value: int) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = here.daemon.request("POST", "/streams/orders", str(value), headers)
        assert answer.status == 201, answer.text

    publish(42)
    page = browser.new_context().new_page()
    page.set_default_timeout(WAIT_MS)
    tried: list[str] = []
    page.on("websocket", lambda socket: tried.append(socket.url))
    page.goto(address)
    shows(page, "orders", "42")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.reload()
    shows(page, "orders", "42")
    wanted = place.url.replace("https", "wss")
    proof.claim(tried[-1].startswith(f"{wanted}ws"), f"{name}: the wall's WebSocket is {tried[-1]}")
    scope = page.evaluate("navigator.serviceWorker.ready.then(({ scope }) => scope)")
    proof.claim(scope == place.url, f"{name}: the scope of the service worker is {scope}")
    page.goto("about:blank")
    proxy.stop()
    page.goto(address)
    shows(page, "orders", "42", "lost")
    proof.claim(True, f"{name}: the wall starts without its proxy")
    publish(43)
    proxy.start()
    shows(page, "orders", "43")
    proof.claim(page.locator("#notice").text_content() == "", f"{name}: nothing is wrong")
    page.context.close()


if __name__ == "__main__":
    main(prove)
