"""The list of all kinds of journals."""

from __future__ import annotations

from streamd.config.kind import Kind
from streamd.journals import memory, redis, sqlite

JOURNAL_KINDS: tuple[Kind, ...] = (memory.KIND, sqlite.KIND, redis.KIND)
"""If ``[journal]`` has no key ``kind``, the first kind is chosen that recognizes the other keys."""
