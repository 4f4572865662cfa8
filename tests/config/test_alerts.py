"""The tables [alerts.NAME]."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.config.alerts import MAX_ALERTS
from streamd.config.fields import ConfigError, Secret
from streamd.config.parse import parse
from streamd.sources.registry import find_kinds

TO = 'to = ["http://127.0.0.1:1/"]\n'


def problems(text: str) -> list[str]:
    try:
        parse(text, find_kinds())
    except ConfigError as error:
        return error.problems
    return []


class AlertTableTests(SynchronousTestCase):
    def test_all_keys(self) -> None:
        text = (
            '[alerts.shop]\nstreams = ["shop.*", "till"]\nwhen = ["warn", "late"]\nfor = "2m"\n'
            'remind = "4h"\nto = [{ env = "ALERT_URL" }, { file = "address" }]\n'
        )
        table = parse(text, find_kinds()).alerts["shop"]
        self.assertEqual(("shop.*", "till"), table.streams)
        self.assertEqual(("warn", "late"), table.when)
        self.assertEqual((120.0, 14400.0), (table.lasting, table.remind))
        self.assertEqual((Secret(env="ALERT_URL"), Secret(file="address")), table.to)

    def test_defaults(self) -> None:
        table = parse(f'[alerts.shop]\nstreams = ["*"]\n{TO}', find_kinds()).alerts["shop"]
        self.assertEqual(
            (("critical", "failed"), 60.0, None), (table.when, table.lasting, table.remind)
        )

    def test_address_is_a_secret(self) -> None:
        config = parse('[alerts.shop]\nstreams = ["*"]\nto = [{ env = "A" }]', find_kinds())
        self.assertEqual({"A"}, config.secrets)
        config = parse(f'[alerts.shop]\nstreams = ["*"]\n{TO}', find_kinds())
        self.assertNotIn("127.0.0.1", repr(config.alerts))

    def test_mistakes(self) -> None:
        head = "[alerts.shop]\n"
        good = f'{head}streams = ["*"]\n{TO}'
        for text, path, words in (
            (f'{head}streams = ["*"]', "alerts.shop.to", "is missing"),
            (f"{head}{TO}", "alerts.shop.streams", "is missing"),
            (f"{head}streams = []\n{TO}", "alerts.shop.streams", "not empty"),
            (
                f'{head}streams = ["a b"]\n{TO}',
                "alerts.shop.streams[0]",
                "expected a name, or a glob",
            ),
            (f'{head}streams = ["a*b*c*d*e*f"]\n{TO}', "alerts.shop.streams", "more than 4 *"),
            (f'{head}streams = ["*"]\nto = []', "alerts.shop.to", "not empty"),
            (f'{head}streams = ["*"]\nto = [5]', "alerts.shop.to[0]", '{ env = "NAME" }'),
            (
                f'{good}when = ["broken"]',
                "alerts.shop.when[0]",
                "one of critical, failed, warn, late",
            ),
            (f"{good}for = 5", "alerts.shop.for", 'a duration such as "5s"'),
            (f'{good}remind = "5s"', "alerts.shop.remind", "at least 10 s"),
            (f'{good}stream = "a"', "alerts.shop.stream", "did you mean streams?"),
            (good.replace("shop", '"a b"'), "alerts.a b", "is not a name"),
            ("alerts = 5", "alerts", "expected tables"),
            ("[alerts]\nshop = 5", "alerts.shop", "expected a table, [alerts.shop]"),
            (f'{good}[sources.alerts]\ncommand = "x"', "sources.alerts", "another name"),
            (f'{good}[sources."alerts.x"]\ncommand = "x"', "sources.alerts.x", "another name"),
        ):
            [problem] = problems(text)
            place, _, message = problem.partition(": ")
            self.assertEqual(path, place, problem)
            self.assertIn(words, message)

    def test_bound(self) -> None:
        tables = [f'[alerts.a{number}]\nstreams = ["*"]\n{TO}' for number in range(MAX_ALERTS + 1)]
        self.assertEqual([], problems("".join(tables[1:])))
        self.assertEqual(["alerts: expected at most 100 tables"], problems("".join(tables)))
