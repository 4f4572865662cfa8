"""``streamd backup``: copy the journal of a daemon, which may be running."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from errno import EEXIST
from pathlib import Path
from typing import Any
from urllib.parse import quote

from streamd.app.cli.arguments import Commands, command
from streamd.app.cli.output import fail
from streamd.app.defaults import journal_table
from streamd.app.load import read_config
from streamd.config.fields import ConfigError
from streamd.config.parse import read
from streamd.journals import sqlite
from streamd.journals.file_format import Damaged, check_head, explain
from streamd.journals.journal import Unusable
from streamd.journals.registry import JOURNAL_KINDS
from streamd.sources.registry import find_kinds

MORE = """
The copy is the journal as it is after the newest commit. A daemon that starts on it begins a new life
of the log.
"""


def add_parser(commands: Commands) -> None:
    parser = command(commands, "backup", backup, "Copy the journal of a running daemon", MORE)
    parser.add_argument("file", help="the new file")
    parser.add_argument(
        "--config", default="streamd.toml", help="it names the journal [default: streamd.toml]"
    )
    parser.add_argument(
        "--journal", help="its file, if no configuration names it: /var/lib/streamd/streamd.db"
    )


def backup(arguments: Any) -> None:
    file = Path(arguments.file)
    try:
        copy_log(Path(arguments.journal or _configured(arguments.config)), file)
    except (Unusable, Damaged) as error:
        fail([str(error)])
    except OSError as error:
        fail([f"cannot write {file}: {error.strerror}"])
    except sqlite3.Error as error:
        fail([f"the journal cannot be copied: {explain(error) or error}"])


def _configured(file: str) -> Path:
    """Return the file of the journal that a configuration names.

    Mistakes in other tables do not matter, and no secrets are read.
    """
    config, problems = read(read_config(file), find_kinds(), JOURNAL_KINDS)
    if wrong := [problem for problem in problems if problem.startswith("journal")]:
        raise ConfigError(wrong)
    kind, settings = journal_table(config)
    if kind is not sqlite.KIND:
        raise ConfigError([f"journal: {file} names no SQLite file; give it with --journal"])
    return Path(file).absolute().parent / str(settings.path)


def copy_log(path: Path, copy: Path) -> None:
    """Copy a log to a new file.  A daemon may be using the log.

    The copy has no high-water mark.  Therefore the log gets a new life when the copy is opened.

    :raises Unusable: the file is not a log.
    :raises OSError: the new file cannot be written, or exists already.
    :raises sqlite3.Error: the copy failed.
    """
    check_head(path)
    if copy.exists():
        raise FileExistsError(EEXIST, os.strerror(EEXIST))
    part = copy.with_name(f"{copy.name}.part")  # what a killed copy leaves has another name
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as log, closing(sqlite3.connect(part)) as new:
            log.execute("PRAGMA schema_version")  # the copy would wait for a lock without end
            # In one step: between two steps the daemon would write, and the copy would begin anew.
            log.backup(new)
        part.rename(copy)
    finally:
        part.unlink(missing_ok=True)
