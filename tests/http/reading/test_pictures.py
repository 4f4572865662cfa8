"""How pictures are served: one address is one picture for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamd.core.picture import Picture
from tests.support.pictures import SVG, png
from tests.support.served import Serve, Served, in_thread

# No source runs here: another node may run it, and each node reads its own copy.
SOURCE = '[sources.plan]\nimage = "plan.png"\nevery = "1h"\n[sources.other]\nkind = "random_walk"\n'
VERSION = Picture.parse(png()).version


@pytest.fixture
def served(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.chdir(tmp_path)
    Path("plan.png").write_bytes(png())
    return serve(SOURCE)


@in_thread
def test_headers(served: Served) -> None:
    answer = served.request("GET", f"/pictures/plan?v={VERSION}")
    assert (answer.status, answer.body) == (200, png())
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    headers = {"If-None-Match": answer.headers["ETag"]}
    again = served.request("GET", f"/pictures/plan?v={VERSION}", headers=headers)
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("plan", "other-version"),
        ("plan?v=0123456789abcdef", "other-version"),
        (f"other?v={VERSION}", "unknown-picture"),
        (f"nothing?v={VERSION}", "unknown-picture"),
        (f"plan.png?v={VERSION}", "unknown-picture"),
        ("..%2fstreamd.toml", "not-found"),
        ("../streamd.toml", "not-found"),
        ("%2e%2e%2f%2e%2e%2fetc%2fpasswd", "not-found"),
    ],
)
@in_thread
def test_other_addresses(served: Served, path: str, code: str) -> None:
    answer = served.request("GET", f"/pictures/{path}")
    assert (answer.status, answer.json()["error"]["code"]) == (404, code)
    assert (
        "Cache-Control" not in answer.headers or "immutable" not in answer.headers["Cache-Control"]
    )


@in_thread
def test_file_is_found_again_after_a_change(served: Served) -> None:
    assert served.request("GET", f"/pictures/plan?v={VERSION}").status == 200
    Path("plan.png").write_bytes(SVG)
    other = Picture.parse(SVG).version
    answer = served.request("GET", f"/pictures/plan?v={other}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert served.request("GET", f"/pictures/plan?v={VERSION}").status == 404
    Path("plan.png").unlink()
    answer = served.request("GET", f"/pictures/plan?v={VERSION}")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "no-picture")
