"""How a wall looks: every kind of tile in every state, theme and size, with values of all sorts.

``python -m checks.looks`` prints every fault that tests/looks/audit.js finds, and ends with 1 if there
is any.  Words choose a part: ``python -m checks.looks hostile phone`` takes all states and themes with
hostile values on a phone; ``forced`` takes forced colours alone.  tests/page/test_looks.py has some of
the cases.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Sequence

from tests.support.browser import chromium
from tests.support.looks import SIZES, STATES, THEMES, VALUES, Case, faults, looks

COLOURS = ("own", "forced")


def main(words: Sequence[str] = ()) -> int:
    """Print the faults of the cases that have all of some words.

    :returns: the exit status.
    """
    parts = [chosen(each, words) for each in (COLOURS, STATES, THEMES, SIZES, VALUES)]
    if unknown := set(words).difference(*parts):
        print("no state, theme, size or sort of values:", *sorted(unknown))
        return 2
    colours, *rest = parts
    total = 0
    with chromium() as browser:
        for colour in colours:
            with looks(browser, forced_colors=colour == "forced") as page:
                for each in itertools.product(*rest):
                    case = Case(*each)
                    found = sorted(set(faults(page, case)))
                    total += len(found)
                    print(f"{', '.join(case)}, {colour} colours: {len(found)} faults", flush=True)
                    for fault in found:
                        print("   ", fault)
    return 1 if total else 0


def chosen(values: Iterable[str], words: Sequence[str]) -> list[str]:
    """Return the values that are among the words, or all of them if none is."""
    return [each for each in values if each in words] or [*values]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
