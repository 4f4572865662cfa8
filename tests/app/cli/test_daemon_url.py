"""The address of a daemon on a command line."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.app.cli.daemon_url import DaemonUrl


class DaemonUrlTests(SynchronousTestCase):
    def test_parts(self) -> None:
        for written, shown, authority, prefix in (
            ("http://localhost:5000", "http://localhost:5000/", "localhost:5000", ""),
            ("https://Wall.example:443", "https://wall.example/", "wall.example", ""),
            ("http://wall.example/a/b/", "http://wall.example/a/b/", "wall.example", "/a/b"),
            ("http://[::1]:80/wall", "http://[::1]/wall/", "[::1]", "/wall"),
        ):
            url = DaemonUrl.parse(written)
            self.assertEqual((shown, authority, prefix), (str(url), url.authority, url.prefix))
            self.assertEqual(shown, url.origin + url.path)

    def test_token_beside_a_password(self) -> None:
        plain, inside = map(DaemonUrl.parse, ("http://wall/", "http://ann:p%40ss@wall/"))
        self.assertEqual({}, plain.headers(""))
        self.assertEqual({"Authorization": "Bearer t"}, plain.headers("t"))
        basic = "Basic YW5uOnBAc3M="  # ann:p@ss
        self.assertEqual({"Authorization": basic}, inside.headers(""))
        self.assertEqual({"Authorization": basic, "Streamd-Token": "t"}, inside.headers("t"))
        self.assertEqual("http://wall/", str(inside))

    def test_invalid_address(self) -> None:
        for written in (
            "localhost:5000",
            "ftp://wall",
            "http://",
            "http://wall:port",
            "http://wall:99999",
            "http://wall/?token=s3cret@",
            "http://ann:s3cret@",
            "http://ann:s3cret@wall:x",
            "http://a b/",
            "http://wall/\n",
        ):
            error = self.assertRaises(ValueError, DaemonUrl.parse, written)
            self.assertIn("expected a URL such as http://localhost:5000", str(error))
            self.assertNotIn("s3cret", str(error))
