"""`:after` is found where the database sees it, and nowhere else."""

from __future__ import annotations

import pytest

from streamd.sources.databases.statements import Dialect, Lowest, as_text, with_parameters


def said(query: str, dialect: Dialect) -> str | None:
    """The query that a driver is given; None if it has no parameter."""
    text, *parameters = with_parameters(query, dialect, {"after": 5})
    assert parameters in ([], [{"after": 5}])
    assert parameters or text == query
    return text if parameters else None


BOTH: tuple[Dialect, ...] = ("postgresql", "mysql", "mysql without escapes")


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(
    ("query", "translated"),
    [
        ("id > :after", "id > %(after)s"),
        ("(:after) % 2", "(%(after)s) %% 2"),
        ("':after' || \":after\", :after", "':after' || \":after\", %(after)s"),
        ("'it''s :after', :after", "'it''s :after', %(after)s"),
        ("a -- :after\n> :after", "a -- :after\n> %(after)s"),
        ("/* don't :after */ :after", "/* don't :after */ %(after)s"),
        ("'/*' :after '*/'", "'/*' %(after)s '*/'"),
        (":after", "%(after)s"),
        (":after <= a OR :after", "%(after)s <= a OR %(after)s"),
        (":afterwards", None),
        ("a LIKE '50%'", None),
        ("/* :after", None),
    ],
)
def test_both(dialect: Dialect, query: str, translated: str | None) -> None:
    assert said(query, dialect) == translated


@pytest.mark.parametrize(
    ("query", "translated"),
    [
        ("(:after)::int", "(%(after)s)::int"),
        ("x::after, :after", "x::after, %(after)s"),
        (r"'a\' :after", r"'a\' %(after)s"),
        (r"E'it\'s :after' :after", r"E'it\'s :after' %(after)s"),
        ("E'a'\n'\\' :after' :after", "E'a'\n'\\' :after' %(after)s"),
        ("E'a' -- it's\n '\\' :after' :after", "E'a' -- it's\n '\\' :after' %(after)s"),
        ("E'a' '\\' :after", "E'a' '\\' %(after)s"),
        ("'a'\n'\\' :after", "'a'\n'\\' %(after)s"),
        ("$$it's :after$$ :after", "$$it's :after$$ %(after)s"),
        ("$a$ $$ :after $b$ $a$ :after", "$a$ $$ :after $b$ $a$ %(after)s"),
        ("/* /* */ :after */ :after", "/* /* */ :after */ %(after)s"),
        ("a$$ :after", "a$$ %(after)s"),
        ("--:after\n:after", "--:after\n%(after)s"),
    ],
)
def test_postgresql(query: str, translated: str | None) -> None:
    assert said(query, "postgresql") == translated


@pytest.mark.parametrize(
    ("query", "translated"),
    [
        (r"'it\'s :after' :after", r"'it\'s :after' %(after)s"),
        (r'"a\" :after" :after', r'"a\" :after" %(after)s'),
        ("`:after` :after", "`:after` %(after)s"),
        ("# :after\n:after", "# :after\n%(after)s"),
        ("5--:after", "5--%(after)s"),
        ("/* /* */ :after", "/* /* */ %(after)s"),
    ],
)
def test_mysql(query: str, translated: str | None) -> None:
    assert said(query, "mysql") == translated


def test_mysql_without_escapes() -> None:
    query = r"'it''s \', ':after', :after"
    assert said(query, "mysql without escapes") == r"'it''s \', ':after', %(after)s"


@pytest.mark.parametrize(
    ("query", "translated"),
    [
        ("id > :after ORDER BY id", "id >= %(after)s ORDER BY id"),
        ("id>:after", "id>= %(after)s"),
        (":after < id AND id < 9", "%(after)s <= id AND id < 9"),
        ("a > :after OR (a = :after AND b > 1)", "a >= %(after)s OR (a = %(after)s AND b > 1)"),
        ("id >= :after", "id >= %(after)s"),
        ("id <> :after", "id <> %(after)s"),
        ("a -> :after", "a -> %(after)s"),
        ("a @> :after", "a @> %(after)s"),
        ("a >> :after", "a >> %(after)s"),
        (":after <= id", "%(after)s <= id"),
        (":after <> id", "%(after)s <> id"),
        ("'id > ' :after", "'id > ' %(after)s"),
    ],
)
def test_rows_with_the_lowest_value_are_new_too(query: str, translated: str) -> None:
    for dialect in BOTH:
        assert with_parameters(query, dialect, {"after": Lowest("")}) == (translated, {"after": ""})


def test_only_named_parameters_are_replaced() -> None:
    values = {"from": 1, "to": 2, "from_epoch": 3}
    query = "a >= :from AND b < :to -- :to\nAND c > :from_epoch AND d = ':to' AND e[1:top] % 2"
    for dialect in BOTH:
        assert with_parameters(query, dialect, values) == (
            "a >= %(from)s AND b < %(to)s -- :to\n"
            "AND c > %(from_epoch)s AND d = ':to' AND e[1:top] %% 2",
            values,
        )
        assert with_parameters("a > :from", dialect, {"after": 1}) == ("a > :from",)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("a > :after AND b = ':after'", "a > :after AND b = '\\:after'"),
        ("'12:30', x::int, y[1:2], :other", "'12:30', x::int, y[1:2], \\:other"),
        ("/* :after */ a > :after -- :after", "/* \\:after */ a > :after -- \\:after"),
    ],
)
def test_for_sqlalchemy_all_other_colons_are_escaped(query: str, text: str) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    found, names = as_text(query, "standard", {"after": 1})
    assert (found, names) == (text, ["after"] * query.count("> :after"))
    assert str(sqlalchemy.text(found).compile()) == query


def test_for_sqlalchemy_the_lowest_value_counts_too() -> None:
    assert as_text("a > :after", "standard", {"after": Lowest("")}) == ("a >= :after", ["after"])
