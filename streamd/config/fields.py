"""Types of configuration values that have a written form of their own, and the error for bad ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from streamd.core.written import Written


class ConfigError(Exception):
    """A configuration that cannot be used; ``problems`` has one line, with key path, for each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class Size(int):
    """Bytes, written ``"64KiB"``, ``"256MiB"``, ``"1GiB"``."""

    _FORM = re.compile(r"([0-9]{1,9})\s*(B|KiB|MiB|GiB)")
    _UNITS = ("B", "KiB", "MiB", "GiB")

    @classmethod
    def parse(cls, written: Any) -> Size:
        """:raises ValueError: with what would be right."""
        match = cls._FORM.fullmatch(written) if isinstance(written, str) else None
        if not match:
            raise ValueError('expected a size such as "64KiB" or "256MiB"')
        return cls(int(match[1]) * 1024 ** cls._UNITS.index(match[2]))


class Secret(Written):
    """A secret, or where it is; its repr never shows it.

    Written ``"…"``, ``{ env = "NAME" }`` or ``{ file = "…" }``.
    """

    def __init__(
        self, text: str | None = None, env: str | None = None, file: str | None = None
    ) -> None:
        self.text, self.env, self.file = text, env, file

    @classmethod
    def parse(cls, written: Any) -> Secret:
        """:raises ValueError: with what would be right."""
        if isinstance(written, str) and written:
            return cls(text=written)
        if isinstance(written, dict) and len(written) == 1:
            ((key, value),) = written.items()
            if key in ("env", "file") and isinstance(value, str) and value:
                return cls(**{key: value})
        raise ValueError('expected a text, { env = "NAME" } or { file = "…" }')

    def reveal(self, environ: Mapping[str, str], read: Callable[[str], str]) -> str:
        """The secret itself.

        :param read: gives a file's text for its name as written.
        :raises ValueError: naming the variable or file that is missing or empty.
        """
        if self.env is not None:
            found, place = environ.get(self.env, ""), f"the environment variable {self.env}"
        elif self.file is not None:
            try:
                found, place = read(self.file), self.file
            except (OSError, UnicodeError) as error:
                raise ValueError(f"cannot read {self.file}: {error}") from None
        else:
            found, place = self.text or "", "it"
        if not found.strip():
            raise ValueError(f"{place} is empty or not set")
        return found.strip()

    def __repr__(self) -> str:
        return f"Secret({self.env or self.file or '…'})"
