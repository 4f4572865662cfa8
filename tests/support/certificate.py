"""A certificate for localhost that nobody vouches for."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_certificate(folder: Path) -> None:
    """Makes `cert.pem` and `key.pem`; SSL_CERT_FILE makes the one its own authority."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2"
    about = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command.split(), *about], check=True, cwd=folder, capture_output=True)
