"""The tables [hooks.NAME]."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.config.fields import ConfigError, Secret
from streamd.config.hooks import MAX_HOOKS, HookTable, Wanted, expected_of
from streamd.config.parse import parse

SECRET = 'secret = { env = "S" }\n'


def problems(text: str) -> list[str]:
    try:
        parse(text, ())
    except ConfigError as error:
        return error.problems
    return []


def hook(text: str, name: str = "x") -> HookTable:
    return parse(f"[hooks.{name}]\n{SECRET}{text}", ()).hooks[name]


class HookTableTests(SynchronousTestCase):
    def test_all_keys(self) -> None:
        config = parse(
            f'[hooks.ci]\n{SECRET}from = "github"\nevent = ["push", "workflow_run"]\n'
            'when = { "/action" = "completed", "/n" = [1, 2] }\neach = "/list"\n'
            'stream = "b.{/a}.{/b}"\npick = { x = "/y" }\nwhole = true\nexpect = "2h"\n',
            (),
        )
        table = config.hooks["ci"]
        self.assertEqual(Secret(env="S"), table.secret)
        self.assertEqual(("push", "workflow_run"), table.events)
        self.assertEqual({"/action": Wanted(["completed"]), "/n": Wanted([1, 2])}, table.when)
        self.assertEqual("b.*.*", table.template("ci").glob)
        self.assertEqual({"S"}, config.secrets)
        self.assertNotIn("secret-text", repr(hook('whole = true\nstream = "secret-texts"').secret))

    def test_sender_is_that_of_the_name(self) -> None:
        self.assertEqual("github", hook("", "github").sender_of("github"))
        self.assertEqual("any", hook("", "till").sender_of("till"))
        self.assertEqual("stripe", hook('from = "stripe"', "github").sender_of("github"))
        self.assertEqual("till", hook("", "till").template("till").glob)

    def test_conditions_compare_as_json(self) -> None:
        table = hook('when = { "/a" = [1, "x", true], "/b~1c" = "y" }')
        for a, meets in (
            (1, True),
            (1.0, True),
            ("x", True),
            (True, True),
            (0, False),
            ("1", False),
        ):
            self.assertEqual(meets, table.wants({"a": a, "b/c": "y"}), a)
        documents: list[object] = [{"a": 1}, {"a": 1, "b/c": "z"}, [], "x", None]
        for document in documents:
            self.assertFalse(table.wants(document))
        self.assertFalse(hook('when = { "/a" = 1 }').wants({"a": True}))

    def test_expect_of_its_streams(self) -> None:
        expected = expected_of({"a": hook('expect = "1m"\nstream = "b.{/x}"'), "c": hook("")})
        [(streams, seconds)] = expected
        self.assertEqual(60.0, seconds)
        for name, has in (("b.web", True), ("b.web.state", True), ("b", False), ("c", False)):
            self.assertEqual(has, name in streams, name)

    def test_mistakes(self) -> None:
        head = f"[hooks.x]\n{SECRET}"
        for text, path, words in (
            ("[hooks.x]\n", "secret", "is missing"),
            (f"{head}evnt = 1", "evnt", "did you mean event?"),
            (f'{head}from = "githbu"', "from", "expected one of alertmanager, github"),
            (f'{head}event = "push"', "event", "tells no events, only github, gitlab, stripe do"),
            (f'{head}when = {{ a = "b" }}', "when.a", "expected a JSON pointer"),
            (f'{head}when = {{ "/a" = [] }}', "when./a", "expected a value"),
            (f'{head}when = {{ "/a" = {{}} }}', "when./a", "expected a value"),
            (f'{head}pick = "a"', "pick", "expected a JSON pointer"),
            (f'{head}each = "a"', "each", "expected a JSON pointer"),
            (f'{head}stream = "a b"', "stream", "expected a name"),
            (f'{head}stream = "a.{{b}}"', "stream", "expected a JSON pointer"),
            (f'{head}stream = "{{/a}}.{{/a}}.{{/a}}.{{/a}}"', "stream", "at most three"),
            (f'{head}expect = "soon"', "expect", "expected a duration"),
        ):
            [problem] = problems(text)
            self.assertEqual(f"hooks.x.{path}", problem.partition(": ")[0])
            self.assertIn(words, problem)
        self.assertIn("did you mean hooks?", problems('[hook.x]\nsecret = "x"')[0])
        self.assertIn("is not a name", problems(f'[hooks."a b"]\n{SECRET}')[0])
        many = "".join(f"[hooks.x{n}]\n{SECRET}" for n in range(MAX_HOOKS + 1))
        self.assertEqual([f"hooks: expected at most {MAX_HOOKS} tables"], problems(many))
