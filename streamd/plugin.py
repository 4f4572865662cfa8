"""The public interface for kinds of sources in other packages.

Everything here keeps its name and meaning between minor versions.  Everything else in streamd may
change.  ``docs/extending.rst`` has a guide, ``examples/die`` a package that runs.
"""

from streamd.config.fields import ConfigError, Secret, Size
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.journals.journal import SourceCursor
from streamd.reactor.worker import Worker
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.feed import Feed
from streamd.sources.polling import DONE, Polling
from streamd.sources.settings import SourceSettings
from streamd.sources.source import Source

__all__ = [
    "DONE",
    "ConfigError",
    "Duration",
    "Feed",
    "Kind",
    "Polling",
    "Refused",
    "Secret",
    "Size",
    "Source",
    "SourceCursor",
    "SourceError",
    "SourceSettings",
    "Surroundings",
    "Unreachable",
    "Worker",
]
