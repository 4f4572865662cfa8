"""What `--port` takes, and what is said of what it does not take."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address

from streamd.app.ports import check_endpoint, endpoint, wall_address
from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError
from tests.support.certificate import make_certificate


def problem(port: str) -> str:
    """The one line that is said of an endpoint."""
    from twisted.internet import reactor

    with pytest.raises(ConfigError) as caught:
        check_endpoint(reactor, endpoint(port))
    [line] = caught.value.problems
    return line


def test_number_is_a_port_of_all_interfaces() -> None:
    assert "5000" in endpoint("5000")
    assert "backlog=4096" in endpoint("5000")
    assert endpoint("tcp:5000:interface=127.0.0.1") == "tcp:5000:interface=127.0.0.1"


def test_number_that_no_port_has() -> None:
    assert problem("65536") == "port: expected 0 to 65535, not 65536"
    assert problem("9" * 5000).startswith("port: expected 0 to 65535, not 9")


@pytest.mark.parametrize("port", ["nonsense:1", "", "tcp", "tcp:", "tcp:1:2:3:4:5", "-1"])
def test_no_endpoint(port: str) -> None:
    assert problem(port).startswith("port: expected a number or an endpoint such as tcp:5000")


def test_file_without_a_certificate(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.write_text("no PEM")
    port = f"ssl:443:privateKey={file}:certKey={file}"
    assert problem(port).startswith(f"port: the key or the certificate of {port} cannot be used")


def test_certificate_whose_end_is_missing(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    file = tmp_path / "cert.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n" + file.read_text())
    port = f"ssl:443:privateKey={tmp_path / 'key.pem'}:certKey={file}"
    assert problem(port).endswith("cannot be used: it has no certificate in PEM")


def test_certificate_that_is_no_file(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for prefix in ("", "haproxy:"):
        port = f"{prefix}ssl:443:privateKey={tmp_path / 'key.pem'}:certKey={tmp_path / 'pipe'}"
        assert problem(port) == f"port: {port}: {tmp_path / 'pipe'} is not a regular file"
        port = f"{prefix}ssl:443:{tmp_path / 'pipe'}"
        assert problem(port) == f"port: {port}: {tmp_path / 'pipe'} is not a regular file"


def test_certificate_that_is_missing(tmp_path: Path) -> None:
    port = f"ssl:443:privateKey={tmp_path / 'key.pem'}"
    assert problem(port) == f"port: {port}: there is no file {tmp_path / 'key.pem'}"
    assert problem("ssl:1") == f"port: ssl:1: there is no file {Path('server.pem').absolute()}"


def test_tls_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "twisted.internet.ssl", None)
    monkeypatch.delattr("twisted.internet.ssl", raising=False)
    assert problem("ssl:443") == f"port: {needs_extra('ssl:443', 'pyOpenSSL', 'tls')}"


def test_address_for_the_log() -> None:
    class Opened:
        def getHost(self) -> IPv4Address:
            return IPv4Address("TCP", "127.0.0.1", 5000)

    opened: Any = Opened()
    assert wall_address(opened, "tcp:5000", None) == "http://localhost:5000/"
    public = "https://wall.example/"
    said = f"{public}, for proxies at http://localhost:5000/"
    assert wall_address(opened, "tcp:5000", public) == said
