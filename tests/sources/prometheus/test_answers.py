"""What Prometheus answers: series, numbers that are none, and rubbish."""

from __future__ import annotations

import pytest

from streamd.core.values import BadValue
from streamd.sources.errors import SourceError
from streamd.sources.prometheus.answers import by_labels, number, ranges_of, series_of


@pytest.mark.parametrize("data", [None, {}, {"resultType": "vector", "result": [{}]}, [], 7])
def test_rubbish(data: object) -> None:
    with pytest.raises(SourceError, match="the answer is not one of Prometheus"):
        series_of(data)


def test_histograms_are_no_values() -> None:
    result = [{"metric": {"a": "b"}, "histogram": [1, {}]}]
    [(labels, value)] = series_of({"resultType": "vector", "result": result})
    assert labels == {"a": "b"}
    assert isinstance(value, BadValue)


def test_numbers() -> None:
    assert [number(text) for text in ("7", "7.5", "1e+06", "-0.25")] == [7, 7.5, 1_000_000, -0.25]
    assert isinstance(number("7"), int)
    assert isinstance(number("1e+300"), float)


def test_labels_that_are_missing() -> None:
    assert by_labels([({"a": "x y"}, 1), ({}, 2)], ["a"]) == {"x_y": 1, "null": 2}


@pytest.mark.parametrize(
    "data",
    [
        *(None, {}, [], 7, {"resultType": "vector", "result": []}),
        {"resultType": "matrix", "result": None},
        {"resultType": "matrix", "result": 7},
        {"resultType": "matrix", "result": [{}]},
        {"resultType": "matrix", "result": [7]},
    ],
)
def test_rubbish_for_a_range(data: object) -> None:
    with pytest.raises(SourceError, match="the answer is not one of Prometheus"):
        ranges_of(data)


def test_a_range_leaves_out_histograms() -> None:
    result = [{"metric": {}, "histograms": [[1, {}]]}, {"metric": {"a": "b"}, "values": [[1, "2"]]}]
    found = ranges_of({"resultType": "matrix", "result": result})
    assert found == [({}, ()), ({"a": "b"}, [[1, "2"]])]
