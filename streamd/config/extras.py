"""The error messages that say how to install an optional dependency."""

from __future__ import annotations


def needs_extra(what: str, package: str, extra: str) -> str:
    """Return a message that a package is missing, with the command that installs it.

    The line names the checkout, because the distribution is not on a package index.

    :param what: the part of the configuration that needs the package, such as ``HTTPS``.
    :param extra: an extra of the distribution, as ``pyproject.toml`` names it.
    """
    return f'{what} needs {package}: run pip install ".[{extra}]" in a checkout of streamd'


def needs_package(what: str, package: str) -> str:
    """Return a message that a package is missing, for packages that are not an extra of streamd.

    :param what: the part of the configuration that needs the package.
    """
    return f'{what} needs {package}: run pip install "{package}"'
