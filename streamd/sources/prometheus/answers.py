"""Reads the answers of Prometheus: its series, their numbers, and the names of their streams.  Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from streamd.core.names import end_of_name
from streamd.core.values import BadValue
from streamd.sources.errors import SourceError

MAX_ERROR = 200
"""The most characters of an error of Prometheus that walls show."""

EXACT = 2**53
"""Up to this number every whole number is a double."""

T = TypeVar("T")

Series = tuple[Mapping[str, str], T]
"""The labels of a series, and what is known of it."""


def no_prometheus() -> SourceError:
    """Return the error for an answer that does not come from Prometheus."""
    return SourceError("the answer is not one of Prometheus", key="url")


def error_of(answer: Mapping[str, Any]) -> SourceError:
    """Return an error that Prometheus answered, in its own words."""
    kind, text = answer.get("errorType"), answer.get("error")
    words = f"{kind}: {text}" if kind else str(text)
    return SourceError(words[:MAX_ERROR], key="promql")


def series_of(data: Any) -> list[Series[Any]]:
    """Return the series in the ``data`` of an answer to an instant query, with their values.

    :raises SourceError: if the query gives a range, or the answer does not come from Prometheus.
    """
    try:
        kind, result = data["resultType"], data["result"]
        if kind == "vector":
            return [(each["metric"], _value(each)) for each in result]
        if kind == "scalar":
            return [({}, number(result[1]))]
        if kind == "string":
            return [({}, str(result[1]))]
    except (LookupError, TypeError, ValueError):
        raise no_prometheus() from None
    raise SourceError(f"the query gives a {kind}; expected one value for each series", key="promql")


def _value(series: Mapping[str, Any]) -> Any:
    if "histogram" in series:
        return BadValue("a histogram is no value; use histogram_quantile()")
    return number(series["value"][1])


def ranges_of(data: Any) -> list[Series[Sequence[Any]]]:
    """Return the series in the ``data`` of an answer to a range query, with their points.

    A point is a time and a number as a text.  Points that are histograms are left out.

    :raises SourceError: if the answer does not come from Prometheus.
    """
    try:
        if data["resultType"] == "matrix":
            return [(each["metric"], each.get("values", ())) for each in data["result"]]
    except (LookupError, TypeError, AttributeError):
        pass
    raise no_prometheus()


def number(text: str) -> float | int | BadValue:
    """Return a number that Prometheus writes; JSON has no NaN and no infinity.

    :raises ValueError: if the text is not a number.
    """
    value = float(text)
    if math.isnan(value):
        return BadValue("the query gives NaN, which is no number: perhaps 0 / 0")
    if math.isinf(value):
        return BadValue(f"the query gives {text}: perhaps a division by 0")
    return int(value) if value.is_integer() and abs(value) < EXACT else value


def end_by_labels(labels: Mapping[str, str], key: Sequence[str]) -> str:
    """Return the end of the name of a series' stream.

    :param key: the labels that name a stream; without any, the end is empty.
    """
    return ".".join(end_of_name(labels.get(label) or "null") for label in key)


def by_labels(found: Sequence[Series[T]], key: Sequence[str]) -> dict[str, T]:
    """Return the series by their streams: end of a stream's name -> its part of ``found``.

    :param key: the labels that name a stream.
    :raises SourceError: if two series would get the same name.
    """
    streams: dict[str, T] = {}
    for labels, known in found:
        end = end_by_labels(labels, key)
        if end in streams:
            text = f"two series are {end}: name them by more labels"
            raise SourceError(text, key="key")
        streams[end] = known
    return streams
