"""Every kind of tile in every state in a real browser, judged by tests/looks/audit.js."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.looks import SIZES, STATES, THEMES, Case, faults, looks

# Each state once, and each size and theme with several of them; `make check-looks` has all.
SAMPLE = [
    Case(state, THEMES[i % 2], size)
    for i, state in enumerate(STATES)
    for size in [[*SIZES][0 if i % 2 else (i // 2) % len(SIZES)]]
]


@pytest.fixture(scope="module")
def stage(browser: Browser) -> Iterator[Page]:
    """A page for all cases."""
    with looks(browser) as page:
        yield page


@pytest.mark.parametrize("case", SAMPLE, ids=" ".join)
def test_no_kind_has_a_fault(stage: Page, case: Case) -> None:
    assert faults(stage, case) == []


def test_no_kind_has_a_fault_in_forced_colours(browser: Browser) -> None:
    with looks(browser, forced_colors=True) as page:
        assert faults(page, Case("late")) == []


def test_every_kind_has_samples(stage: Page) -> None:
    """A new kind is in the matrix by itself, as soon as it is in samples.js."""
    samples = stage.evaluate("async () => Object.keys((await import('/looks/samples.js')).PLAIN)")
    assert set(samples) == set(stage.evaluate("stage.kinds()"))


# Rules that break a wall, and what the audit says of it.
BROKEN = {
    ".top { font-size: calc(2 * var(--u)) !important }": "has type of 2.00 u",
    ".foot { color: var(--rule) !important }": "has a contrast of",
    ".label { text-overflow: clip !important; max-width: 2em }": "is cut without an ellipsis",
    ".body { translate: 0 -3em }": "overlaps",
    ".value { translate: 50vw }": "leaves",
    ".tile { background: repeating-linear-gradient(90deg, #000 0 9px, #777 9px 12px) }": "mark",
}
CLAIMS = {
    ".value { color: var(--text) !important }": "has the ink of a current value",
    ".ranked .bar { background: #7cc7b2 !important }": "in a colour of now",
}


@pytest.mark.parametrize(("state", "sheets"), [("fresh", BROKEN), ("late", CLAIMS)])
def test_the_audit_finds_what_is_wrong(stage: Page, state: str, sheets: dict[str, str]) -> None:
    style = stage.add_style_tag(content="\n".join(sheets))
    found = faults(stage, Case(state))
    style.evaluate("(style) => style.remove()")
    missed = [fault for fault in sheets.values() if not any(fault in one for one in found)]
    assert missed == []
