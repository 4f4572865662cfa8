"""The fixtures and hooks of all tests, each from the file about it in tests/support."""

from tests.support.browser import browser, console_errors, page, page_errors
from tests.support.daemon import daemon, start_daemon
from tests.support.node import node
from tests.support.patience import pytest_pyfunc_call
from tests.support.served import serve, served
from tests.support.tidy import logged_errors, pytest_collection_finish, tidy_reactor

__all__ = [
    "browser",
    "console_errors",
    "daemon",
    "logged_errors",
    "node",
    "page",
    "page_errors",
    "pytest_collection_finish",
    "pytest_pyfunc_call",
    "serve",
    "served",
    "start_daemon",
    "tidy_reactor",
]
