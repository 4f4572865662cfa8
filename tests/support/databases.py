"""Database servers of one's own, which can be stopped, killed and frozen: `postgres`, `mariadb`, and a
`pgbouncer` in front of `postgres`.

One of each serves all tests; a test that wants it gets it running and empty.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pymysql
import pytest

from tests.support.daemon import STOP_SECONDS, Server
from tests.support.net import free_port, wait_until

PASSWORD = "pa55-w0rd"


class DatabaseServer(Server):
    """A server with its data in a folder; run by another user when this one is root, as it asks."""

    def __init__(self, folder: Path, user: str) -> None:
        super().__init__([user], free_port(), folder)
        self._user = user
        self._frozen: list[int] = []

    def as_user(self, *command: str | Path) -> list[str | Path]:
        """The command, run as the user that the server runs as."""
        if os.geteuid() != 0:
            return list(command)
        owner = pwd.getpwnam(self._user)
        os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        ids = (f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups")
        return ["setpriv", *ids, *command]

    def prepare(self, *command: str | Path) -> None:
        """Make the data."""
        done = subprocess.run(self.as_user(*command), cwd=self.folder, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def freeze(self) -> None:
        """All of it stands still, its connections open."""
        os.kill(self.pid, signal.SIGSTOP)  # first, or it would start more
        wait_until(lambda: state(self.pid) == "T", what="the server to stand still")
        self._frozen = [self.pid, *children(self.pid)]
        for pid in self._frozen[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        while self._frozen:
            with suppress(ProcessLookupError):
                os.kill(self._frozen.pop(), signal.SIGCONT)

    def kill(self) -> int:
        """SIGKILL to all of it, as when the machine loses its power."""
        if self.running:
            self.freeze()
        others = self._frozen[1:]
        self._frozen.clear()
        for pid in others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        status = super().kill()
        # They hold what the next start needs; one that nobody waits for stays as a zombie.
        wait_until(lambda: {*map(state, others)} <= {"", "Z"}, what="the end of its processes")
        return status

    def connect(self) -> Any:
        """A connection that commits each statement."""
        raise NotImplementedError

    def sql(self, *statements: str) -> list[Any]:
        """Run them; the rows of the last."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []


class PostgresServer(DatabaseServer):
    """PostgreSQL, with pg_stat_statements, and a user `shop` who needs a password."""

    def __init__(self, folder: Path) -> None:
        programs = max(
            Path("/usr/lib/postgresql").glob("*/bin"),
            key=lambda path: int(path.parent.name),
            default=None,
        )
        assert programs, "no PostgreSQL here: run tests/install-servers"
        super().__init__(folder, "postgres")
        data = folder / "data"
        self._ready = [str(programs / "pg_isready"), "--host=127.0.0.1", f"--port={self.port}"]
        self.prepare(programs / "initdb", "-D", data, "-U", "admin", "-A", "trust", "-N")
        rules = "local all all trust\nhost all shop 127.0.0.1/32 scram-sha-256\n"
        (data / "pg_hba.conf").write_text(rules + "host all all 127.0.0.1/32 trust\n")
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_preload_libraries": "pg_stat_statements",
        }
        options = (f"--{key}={value}" for key, value in settings.items())
        command = self.as_user(programs / "postgres", "-D", data, *options)
        self._command = [str(word) for word in command]
        self.url = f"postgresql://shop:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def serves(self) -> bool:
        return subprocess.run(self._ready, capture_output=True).returncode == 0

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """A fast shutdown: nobody is waited for."""
        return self._end(signal.SIGINT, seconds)

    def connect(self) -> Any:
        return psycopg.connect(
            f"postgresql://admin@127.0.0.1:{self.port}/postgres", autocommit=True
        )

    def clear(self) -> None:
        if not self.sql("SELECT 1 FROM pg_roles WHERE rolname = 'shop'"):
            self.sql(f"CREATE ROLE shop LOGIN PASSWORD '{PASSWORD}'")
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'",
            "DROP SCHEMA public CASCADE",
            "CREATE SCHEMA public",
            "DROP OWNED BY shop",
            "GRANT ALL ON SCHEMA public TO shop",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO shop",
        )


class PgBouncer(DatabaseServer):
    """PgBouncer. In transaction mode, who comes shares one session of the server with all others."""

    def __init__(
        self, folder: Path, server: PostgresServer, mode: str = "transaction", size: int = 1
    ) -> None:
        super().__init__(folder, "postgres")
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "no PgBouncer here: run tests/install-servers"
        users = folder / "users"
        users.write_text('"shop" ""\n')
        settings = folder / "pgbouncer.ini"
        settings.write_text(f"""
            [databases]
            postgres = host=127.0.0.1 port={server.port} user=admin
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {self.port}
            unix_socket_dir =
            auth_type = any
            auth_file = {users}
            pool_mode = {mode}
            default_pool_size = {size}
            ignore_startup_parameters = extra_float_digits
        """)
        self._command = [str(word) for word in self.as_user(program, settings)]
        self.url = f"postgresql://shop@127.0.0.1:{self.port}/postgres"

    def connect(self) -> Any:
        """A connection of another program, which shares the session."""
        return psycopg.connect(self.url, autocommit=True, prepare_threshold=None)


class MariaServer(DatabaseServer):
    """MariaDB, and a user `shop` who needs a password."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "no MariaDB here: run tests/install-servers"
        super().__init__(folder, "mysql")
        data = f"--datadir={folder / 'data'}"
        self.prepare(
            "mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal"
        )
        options = [
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-fast-shutdown=2",
            "--skip-name-resolve",
        ]
        command = self.as_user(program, "--no-defaults", data, *options)
        self._command = [str(word) for word in command]
        self.url = f"mysql://shop:{PASSWORD}@127.0.0.1:{self.port}/shop"

    def serves(self) -> bool:
        """Both ways: its socket is made after its port."""
        try:
            self.connect().close()
        except pymysql.Error:
            return False
        return super().serves()

    def connect(self) -> Any:
        return pymysql.connect(
            unix_socket=str(self.folder / "socket"), user="root", autocommit=True
        )

    def sql(self, *statements: str) -> list[Any]:
        return super().sql("CREATE DATABASE IF NOT EXISTS shop", "USE shop", *statements)

    def clear(self) -> None:
        self.sql(
            "DROP DATABASE shop",
            "CREATE DATABASE shop",
            f"CREATE OR REPLACE USER shop@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
            "GRANT SELECT, INSERT ON shop.* TO shop@'127.0.0.1'",
        )


class DuckFile:
    """What the servers offer, on a file of DuckDB."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"duckdb:///{file}"

    def connect(self) -> Any:
        """A connection; waits for the readers in this process, which open the file for a moment."""

        def connected() -> Any:
            with suppress(duckdb.Error):
                return duckdb.connect(str(self.file))

        return wait_until(connected)

    def sql(self, *statements: str) -> list[Any]:
        with closing(self.connect()) as connection:
            return [list(connection.execute(text).fetchall()) for text in statements][-1]


class BySqlAlchemy:
    """A server with an address as SQLAlchemy takes it; everything else is the server's."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server
        known = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
        scheme, _, rest = server.url.partition(":")
        self.url = f"{known[scheme]}:{rest}"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def state(pid: int) -> str:
    """The letter of proc(5): T stopped, Z ended and not waited for; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def serve_all_tests(kind: Any) -> Iterator[Any]:
    # Not pytest's folder: another user has to get there.
    with tempfile.TemporaryDirectory(prefix="streamd-") as folder:
        server = kind(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="session")
def _postgres() -> Iterator[PostgresServer]:
    yield from serve_all_tests(PostgresServer)


@pytest.fixture(scope="session")
def _mariadb() -> Iterator[MariaServer]:
    yield from serve_all_tests(MariaServer)


@pytest.fixture
def postgres(_postgres: PostgresServer) -> Iterator[PostgresServer]:
    yield from fresh(_postgres)


@pytest.fixture
def mariadb(_mariadb: MariaServer) -> Iterator[MariaServer]:
    yield from fresh(_mariadb)


def fresh(server: Any) -> Iterator[Any]:
    """The server, running and empty; and running again afterwards."""
    server.clear()
    yield server
    server.thaw()
    if not server.running:
        server.start()


@pytest.fixture
def postgres_by_sqlalchemy(postgres: PostgresServer) -> Any:
    return BySqlAlchemy(postgres)


@pytest.fixture
def mariadb_by_sqlalchemy(mariadb: MariaServer) -> Any:
    return BySqlAlchemy(mariadb)


@pytest.fixture
def pgbouncer(postgres: PostgresServer, request: pytest.FixtureRequest) -> Iterator[PgBouncer]:
    """It may be parametrised with a mode, and the number of its sessions."""
    with tempfile.TemporaryDirectory(prefix="streamd-") as folder:  # see serve_all_tests
        server = PgBouncer(Path(folder), postgres, *getattr(request, "param", ()))
        server.start()
        try:
            yield server
        finally:
            server.kill()
