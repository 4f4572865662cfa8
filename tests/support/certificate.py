"""Certificates for localhost: one that nobody vouches for, and a chain of three."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_certificate(folder: Path) -> None:
    """Makes `cert.pem` and `key.pem`; SSL_CERT_FILE makes the one its own authority."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2"
    about = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command.split(), *about], check=True, cwd=folder, capture_output=True)


def make_chain(folder: Path) -> None:
    """Makes `root.pem`, `fullchain.pem` (for localhost, then the intermediate), and `key.pem`."""
    new = "openssl req -x509 -newkey rsa:2048 -nodes -days 30"
    authority = ["-addext", "basicConstraints=critical,CA:TRUE"]
    leaf = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"]
    signed = {
        "root": ["-subj", "/CN=root"],  # a CA by openssl's default
        "middle": ["-subj", "/CN=middle", "-CA", "root.pem", "-CAkey", "root-key.pem", *authority],
        "": ["-subj", "/CN=localhost", "-CA", "middle.pem", "-CAkey", "middle-key.pem", *leaf],
    }
    for name, more in signed.items():
        files = ["-keyout", f"{name}-key.pem".lstrip("-"), "-out", f"{name or 'cert'}.pem"]
        subprocess.run([*new.split(), *files, *more], check=True, cwd=folder, capture_output=True)
    chain = (folder / "cert.pem").read_text() + (folder / "middle.pem").read_text()
    (folder / "fullchain.pem").write_text(chain)
    (folder / "all.pem").write_text(chain + (folder / "key.pem").read_text())
