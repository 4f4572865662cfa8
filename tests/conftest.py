"""The fixtures and hooks of all tests, each from the file about it in tests/support."""

import signal

from tests.support.browser import browser, console_errors, page, page_errors
from tests.support.daemon import daemon, start_daemon
from tests.support.databases import (
    _mariadb,
    _postgres,
    mariadb,
    mariadb_by_sqlalchemy,
    pgbouncer,
    postgres,
    postgres_by_sqlalchemy,
)
from tests.support.firefox import firefox, firefox_page
from tests.support.kafka import kafka
from tests.support.mosquitto import mosquitto
from tests.support.nginx import start_nginx
from tests.support.node import node
from tests.support.patience import pytest_pyfunc_call
from tests.support.rabbitmq import _rabbitmq, rabbitmq
from tests.support.redis import redis
from tests.support.served import serve, served
from tests.support.shell import shop
from tests.support.tidy import logged_errors, pytest_collection_finish, tidy_reactor

__all__ = [
    "_mariadb",
    "_postgres",
    "_rabbitmq",
    "browser",
    "console_errors",
    "daemon",
    "firefox",
    "firefox_page",
    "kafka",
    "logged_errors",
    "mariadb",
    "mariadb_by_sqlalchemy",
    "mosquitto",
    "node",
    "page",
    "page_errors",
    "pgbouncer",
    "postgres",
    "postgres_by_sqlalchemy",
    "pytest_collection_finish",
    "pytest_pyfunc_call",
    "rabbitmq",
    "redis",
    "serve",
    "served",
    "shop",
    "start_daemon",
    "start_nginx",
    "tidy_reactor",
]

# A shell that starts the tests in the background lets them ignore SIGINT, and so the daemons that they
# start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
