"""Values of the configuration with a written form of their own, and collected problems."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.config import fields
from streamd.config.fields import (
    FOR_SERVICE,
    ConfigError,
    Language,
    Origin,
    Problems,
    PublicUrl,
    Secret,
    Size,
    Timezone,
    TrustedProxy,
)


class SizeTests(SynchronousTestCase):
    def test_forms(self) -> None:
        for written, size in {"512B": 512, "64KiB": 65536, "1 GiB": 2**30}.items():
            self.assertEqual(size, Size.parse(written))

    def test_no_sizes(self) -> None:
        for written in ("64", "64KB", "-1MiB", "1.5GiB", 64, None):
            self.assertRaises(ValueError, Size.parse, written)


class OriginTests(SynchronousTestCase):
    def test_what_is_harmless_is_written_as_browsers_do(self) -> None:
        for written, origin in (
            ("https://intranet.example", "https://intranet.example"),
            ("HTTPS://Intranet.Example/", "https://intranet.example"),
            ("http://wall:80", "http://wall"),
            ("https://wall:443/", "https://wall"),
            ("http://wall:443", "http://wall:443"),
            ("http://wall.", "http://wall."),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("http://[::1]:5000", "http://[::1]:5000"),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            ("null", "null"),
        ):
            self.assertEqual(origin, Origin.parse(written))

    def test_the_refusal_says_what_is_meant(self) -> None:
        for written, meant in (
            ("localhost:24004", "http://localhost:24004"),
            ("intranet.example", "http://intranet.example"),
            ("https://wall.example/kitchen", "https://wall.example"),
            ("https://wall.example//", "https://wall.example"),
            ("https://wall.example?wall=kitchen", "https://wall.example"),
            ("https://ann@wall.example", "https://wall.example"),
            ("http://wall:", "http://wall"),
            ("wss://wall:5443", "https://wall:5443"),
            ("https://b\u00fccher.example", "https://xn--bcher-kva.example"),
            ("http://[0:0::1]", "http://[::1]"),
            ("http://wall\n", "http://wall"),
        ):
            error = self.assertRaises(ValueError, Origin.parse, written)
            self.assertIn(f'did you mean "{meant}"?', str(error))
        for written in ("file://", "FILE:///home/ann/wall.html", "Null"):
            self.assertIn(
                'expected "null"', str(self.assertRaises(ValueError, Origin.parse, written))
            )
        others: tuple[object, ...] = ("*", "http://*.example", "https://wall:*", 5, None, ["null"])
        for other in others:
            error = self.assertRaises(ValueError, Origin.parse, other)
            self.assertIn("no wildcard", str(error))

    def test_invalid_origin(self) -> None:
        for written in (
            "",
            " ",
            "https://",
            "https://wall ",
            "http://a b",
            "http://a..b",
            "http://wall:0",
            "http://wall:65536",
            "http://127.1",
            "http://[::1",
            "ftp://wall",
            "javascript:alert(1)",
            f"http://{'a' * 70}.example",
        ):
            error = self.assertRaises(ValueError, Origin.parse, written)
            self.assertIn("expected an origin such as", str(error))


class PublicUrlTests(SynchronousTestCase):
    def test_address(self) -> None:
        for written, url, origin, host, prefix in (
            (
                "https://wall.example",
                "https://wall.example/",
                "https://wall.example",
                "wall.example",
                "",
            ),
            (
                "HTTPS://Wall.example:443/a/b/",
                "https://wall.example/a/b/",
                "https://wall.example",
                "wall.example",
                "/a/b",
            ),
            (
                "http://[2001:DB8::1]:8080/",
                "http://[2001:db8::1]:8080/",
                "http://[2001:db8::1]:8080",
                "[2001:db8::1]",
                "",
            ),
        ):
            parsed = PublicUrl.parse(written)
            self.assertEqual(
                (url, origin, host, prefix), (parsed, parsed.origin, parsed.host, parsed.prefix)
            )

    def test_invalid_address(self) -> None:
        others: tuple[object, ...] = (
            "wall.example",
            "ftp://wall.example/",
            "https://ann:secret@wall.example/",
            "https://wall.example/?wall=a",
            "https://wall.example/#a",
            "https://wall.example//",
            "https://wall.example/a b/",
            "https://wall:0/",
            "",
            7,
        )
        for other in others:
            error = self.assertRaises(ValueError, PublicUrl.parse, other)
            self.assertIn("https://wall.example.org/", str(error))


class SecretTests(SynchronousTestCase):
    def test_where_it_is(self) -> None:
        files = {"token": "from file\n"}
        environ = {"TOKEN": " from env "}
        self.assertEqual("text", Secret("text").reveal(environ, files.__getitem__))
        self.assertEqual("from env", Secret(env="TOKEN").reveal(environ, files.__getitem__))
        self.assertEqual("from file", Secret(file="token").reveal(environ, files.__getitem__))

    def test_credential(self) -> None:
        """A file of $CREDENTIALS_DIRECTORY, by itself or of a whole folder."""
        files = {"/run/credentials/own": "mine", "/run/credentials/secrets_shop": "its\n"}

        def read(name: str) -> str:
            if name not in files:
                raise FileNotFoundError(2, "No such file or directory", name)
            return files[name]

        environ = {"CREDENTIALS_DIRECTORY": "/run/credentials"}
        for name, text in (("own", "mine"), ("shop", "its")):
            secret = Secret.parse({"credential": name})
            self.assertEqual(text, secret.reveal(environ, read))
        missing = Secret.parse({"credential": "late"})
        error = self.assertRaises(ValueError, missing.reveal, environ, read)
        self.assertIn("there is no credential late; write it to /etc/", str(error))
        error = self.assertRaises(ValueError, missing.reveal, {}, read)
        self.assertIn("LoadCredential=late:/etc/streamd/secrets/late", str(error))

    def test_credential_of_another_process(self) -> None:
        def deny(name: str) -> str:
            raise PermissionError(13, "Permission denied", name)

        environ = {"CREDENTIALS_DIRECTORY": "/run/credentials"}
        secret = Secret.parse({"credential": "own"})
        error = self.assertRaises(ValueError, secret.reveal, environ, deny)
        self.assertTrue(str(error).endswith(FOR_SERVICE), error)

    def test_credential_is_a_name(self) -> None:
        for name in ("", "..", ".", "a/b", "/etc/shadow", "a\nb", "a:b", "x" * 256, 7):
            self.assertRaises(ValueError, Secret.parse, {"credential": name})

    def test_missing_or_empty(self) -> None:
        def read_none(name: str) -> str:
            raise FileNotFoundError(2, "No such file or directory", name)

        for secret, word in ((Secret(env="TOKEN"), "TOKEN"), (Secret(file="tok"), "tok")):
            error = self.assertRaises(ValueError, secret.reveal, {}, read_none)
            self.assertIn(word, str(error))
        empty = Secret(env="E")
        self.assertRaises(ValueError, empty.reveal, {"E": " "}, read_none)

    def test_its_repr_tells_nothing(self) -> None:
        self.assertNotIn("s3cret", repr([Secret("s3cret")]))
        self.assertEqual("Secret(TOKEN)", repr(Secret(env="TOKEN")))


class TrustedProxyTests(SynchronousTestCase):
    def test_forms(self) -> None:
        for written, network in (
            ("127.0.0.1", "127.0.0.1/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
            ("::1", "::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.1", "10.0.0.1/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ):
            self.assertEqual(network, str(TrustedProxy.parse(written).network))
        self.assertIsNone(TrustedProxy.parse("unix").network)

    def test_no_proxies(self) -> None:
        for written in (
            "localhost",
            "Unix",
            "unix:/run/nginx.sock",
            "*",
            "",
            "10.0.0.0/33",
            "127.0.0.1:5000",
            "[::1]",
            "010.0.0.1",
            " 10.0.0.1",
            "1" * 5000,
            "10.0.0.0/" + "1" * 5000,
            167772161,
            True,
            None,
            ["10.0.0.1"],
        ):
            error = self.assertRaises(ValueError, TrustedProxy.parse, written)
            self.assertIn('such as "127.0.0.1"', str(error))

    def test_an_address_with_a_prefix(self) -> None:
        error = self.assertRaises(ValueError, TrustedProxy.parse, "10.1.2.3/8")
        self.assertIn('did you mean "10.0.0.0/8"?', str(error))


class ProblemsTests(SynchronousTestCase):
    def test_one_mistake_hides_no_other(self) -> None:
        problems = Problems()
        for lines in (["a", "b"], [], ["c"]):
            with problems.collect():
                raise ConfigError(lines)
        error = self.assertRaises(ConfigError, problems.check)
        self.assertEqual(["a", "b", "c"], error.problems)

    def test_without_problems_nothing_is_raised(self) -> None:
        problems = Problems()
        with problems.collect():
            pass
        problems.check()

    def test_errors_of_ours_pass(self) -> None:
        def fail() -> None:
            with Problems().collect():
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)


class TimezoneTests(SynchronousTestCase):
    def test_names_of_the_database(self) -> None:
        for name in ("Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"):
            self.assertEqual(name, Timezone.parse(name))

    def test_other_names(self) -> None:
        for written, meant in (("europe/berlin", "Europe/Berlin"), ("Asia/Singapur", "Singapore")):
            error = self.assertRaises(ValueError, Timezone.parse, written)
            self.assertIn(meant, str(error))
        for wrong in ("", "../etc/passwd", "/Europe/Berlin", "Europe/", 1, None):
            self.assertRaises(ValueError, Timezone.parse, wrong)

    def test_rules_of_a_zone(self) -> None:
        zone = Timezone.parse("Asia/Tokyo").zone()
        self.assertEqual("Asia/Tokyo", getattr(zone, "key", None))
        self.assertIsNone(Timezone("Europe/Nowhere").zone())

    def test_without_a_database_the_form_counts(self) -> None:
        self.patch(fields, "available_timezones", set)
        self.assertEqual("Europe/Nowhere", Timezone.parse("Europe/Nowhere"))
        self.assertRaises(ValueError, Timezone.parse, "Europe//Nowhere")


class LanguageTests(SynchronousTestCase):
    def test_tags(self) -> None:
        for tag in ("de", "en-GB", "zh-Hant-TW", "gsw-CH", "es-419"):
            self.assertEqual(tag, Language.parse(tag))

    def test_other_forms(self) -> None:
        for written in ("", "de_DE", "DE", "german", "de-", "en-GB\n", "x-klingon", 1, None):
            error = self.assertRaises(ValueError, Language.parse, written)
            self.assertIn('"en-GB"', str(error))
