"""Reads the configuration again while the daemon runs, and applies the changes.

The file is read on SIGHUP, and when it is saved if the daemon runs in the foreground.  Everything
that can fail is done first: the file is parsed, the new sources are made, and all files that the
configuration names are read.  A mistake changes nothing.  It is shown on every wall, in the log, by
``GET /healthz`` and by the service manager.  Then each part of the daemon gets its new settings.
Nothing there can fail or wait, so no request sees half of a change.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.application.service import Service
from twisted.logger import Logger

from streamd.app.defaults import journal_table
from streamd.app.load import Loaded, plan_sources, read_own_pages
from streamd.app.pages import page_content
from streamd.app.rules import make_rules
from streamd.app.service import Streamd
from streamd.app.watch import FileWatch
from streamd.config.fields import ConfigError, Problems
from streamd.config.hooks import expected_of
from streamd.config.lines import key_of, line_of
from streamd.config.parse import pictures_of
from streamd.config.tables import Config
from streamd.core.reconfiguration import change_bounds, configure_streams
from streamd.http.request import security

MAX_MESSAGE = 300
"""The most characters of a mistake that walls show: a strip has room for no more."""


class Reload(Service):
    """Reads the configuration again, and applies the changes.

    :ivar config: the configuration that is in use.
    :ivar trouble: why the present content of the file is not in use; a line for each mistake.
    """

    _log = Logger()

    def __init__(
        self,
        daemon: Streamd,
        config: Config,
        read: Callable[[], Loaded],
        file: Path | None = None,
        watches: bool = False,
    ) -> None:
        """:param config: the configuration that the daemon was made of.

        :param read: reads the configuration again; raises :class:`ConfigError` for a mistake.
        :param file: the configuration file; None if there is none.
        :param watches: whether to read it again when it is saved.
        """
        self.config = config
        self.trouble: list[str] = []
        self._daemon = daemon
        self._read = read
        self._file = file
        self._at_start = _at_start(config)
        self._watch = FileWatch(file, self.reload, daemon.reactor) if file and watches else None

    def startService(self) -> None:
        super().startService()
        if self._watch is not None:
            self._watch.start()

    def stopService(self) -> None:
        super().stopService()
        if self._watch is not None:
            self._watch.stop()

    def reload(self) -> None:
        """Read the configuration, and apply the changes; a mistake changes nothing."""
        if self._watch is not None:
            self._watch.note()
        try:
            loaded = self._read()
            apply = self._prepare(loaded)
        except ConfigError as error:
            self._refuse(error.problems)
        except Exception as error:
            self._log.failure("the configuration cannot be read")
            self._refuse([f"unexpected {type(error).__name__}, see the log"])
        else:
            apply()
            self._applied(loaded.config)

    # -- the configuration is right ----------------------------------------------------------------

    def _prepare(self, new: Loaded) -> Callable[[], None]:
        """Do everything that can fail; return a function that does the rest.

        :raises ConfigError: lists the mistakes.
        """
        daemon, server = self._daemon, new.config.server
        plans = plan_sources(new.config, daemon.surroundings(server.zone))
        content = page_content(new.config, new.base)
        own_pages = read_own_pages(new.config, new.base)
        shifts = daemon.shifts.prepare(plans)

        def apply() -> None:
            self._apply_server(new)
            daemon.page.show(**content)
            daemon.own_pages.show(own_pages)
            daemon.influx.template = new.config.influx.stream
            daemon.pictures.files = pictures_of(new.config)
            daemon.former.reconfigure(shift.feed for shift in shifts.values())
            expected = expected_of(new.config.hooks)
            configure_streams(daemon.state, new.config.streams, daemon.now(), expected)
            daemon.shifts.change(plans, shifts)

        return apply

    def _apply_server(self, new: Loaded) -> None:
        """Apply the tables ``[server]``, ``[access]`` and ``[log]``."""
        daemon, server = self._daemon, new.config.server
        change_bounds(daemon.state, server.max_streams, server.max_state)
        daemon.hub.pace = server.pace
        daemon.upkeep.forget = server.forget
        daemon.share.part = server.address_share
        daemon.hub.seats.change(server.max_viewers)
        daemon.site.limits.change(server.max_viewers)
        daemon.site.security = security(daemon.page.script, server.frame_ancestors)
        daemon.rates.change(server.rates)
        daemon.site.request_log.all = new.config.log.access
        daemon.access.replace(make_rules(new.config, new.tokens))
        daemon.hidden.clear()
        daemon.hidden.update(new.config.secrets)

    def _applied(self, config: Config) -> None:
        """Tell everybody that the file is in use, and the operator what is not."""
        self.config = config
        self.trouble = []
        self._daemon.tell_configuration(None)
        self._log.info("the configuration was read again, and is in use")
        notes = self._renew_certificates()
        for path, value in _at_start(config).items():
            if value != self._at_start[path]:
                notes.append(f"{path}: this change takes effect at the next start")
        for note in notes:
            self._log.warn("{note}", note=note)
        self._daemon.status.note("; ".join(notes) or None)

    def _renew_certificates(self) -> list[str]:
        """Read the certificates of the ports again; return why some cannot be used.

        They do not belong to the file, so they take effect even if others cannot be used.
        """
        problems = Problems()
        for certificate in self._daemon.certificates:
            with problems.collect():
                certificate.read_again()
        return problems

    # -- it is not ---------------------------------------------------------------------------------

    def _refuse(self, problems: list[str]) -> None:
        """Tell everybody that the file is not in use, and why."""
        text = self._text()
        self.trouble = [self._located(text, problem) for problem in problems]
        key = key_of(problems[0])
        about = {
            "file": "" if self._file is None else self._file.name,
            "line": line_of(text, problems[0]),
            "key": key,
            "message": problems[0].removeprefix(f"{key}: ")[:MAX_MESSAGE],
        }
        self._daemon.tell_configuration(about)
        self._daemon.status.note(f"the configuration is unchanged: {self.trouble[0]}")
        for line in self.trouble:
            self._log.error("the configuration is unchanged: {problem}", problem=line)

    def _text(self) -> str:
        try:
            return "" if self._file is None else self._file.read_text("utf-8-sig")
        except (OSError, UnicodeError):
            return ""

    def _located(self, text: str, problem: str) -> str:
        line = line_of(text, problem)
        where = str(self._file) + ("" if line is None else f", line {line}")
        return f"{where}: {problem}"


def _at_start(config: Config) -> dict[str, object]:
    """Return the settings that take effect only at the start of the daemon, by their key paths."""
    return {
        "journal": journal_table(config),
        "server.metrics_port": config.server.metrics_port,
        "log.format": config.log.format,
    }
