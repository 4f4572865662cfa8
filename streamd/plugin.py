"""The public interface for kinds of sources in other packages.

Every name here keeps its meaning between minor versions.  Everything else in streamd may change.
``docs/extending.rst`` is a guide, and ``examples/die`` is a complete package.
"""

from streamd.config.fields import ConfigError, Secret, Size
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.names import by_name
from streamd.core.values import BadValue
from streamd.journals.journal import Outrun, SourceCursor
from streamd.reactor.worker import Worker
from streamd.sources.entries import Entries, Entry
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.feed import Feed
from streamd.sources.incoming_texts import Texts, read_text
from streamd.sources.polling import DONE, Polling, RetryLater
from streamd.sources.settings import SourceSettings
from streamd.sources.source import Source

__all__ = [
    "DONE",
    "BadValue",
    "ConfigError",
    "Duration",
    "Entries",
    "Entry",
    "Feed",
    "Kind",
    "Outrun",
    "Polling",
    "Refused",
    "RetryLater",
    "Secret",
    "Size",
    "Source",
    "SourceCursor",
    "SourceError",
    "SourceSettings",
    "Surroundings",
    "Texts",
    "Unreachable",
    "Worker",
    "by_name",
    "read_text",
]
