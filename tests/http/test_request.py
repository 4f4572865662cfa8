"""Requests and responses as plain values."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from streamd.http.request import Request, Response, error_response, json_response


class ResponseTests(SynchronousTestCase):
    def test_json_is_one_line_that_ends(self) -> None:
        response = json_response({"a": "\n", "b": [1, None]}, 201, {"X": "y"})
        self.assertEqual(201, response.status)
        self.assertEqual({"Content-Type": "application/json", "X": "y"}, dict(response.headers))
        assert isinstance(response.body, bytes)
        self.assertEqual({"a": "\n", "b": [1, None]}, json.loads(response.body))
        self.assertEqual(b"\n", response.body[-1:])
        self.assertEqual(1, response.body.count(b"\n"))

    def test_every_error_has_one_form(self) -> None:
        response = error_response(404, "not-found", 'no "x"', {"Allow": "GET"})
        self.assertEqual((404, "GET"), (response.status, response.headers["Allow"]))
        assert isinstance(response.body, bytes)
        error = {"code": "not-found", "message": 'no "x"'}
        self.assertEqual({"error": error}, json.loads(response.body))

    def test_what_is_not_said(self) -> None:
        self.assertEqual((200, b"", {}), (Response().status, Response().body, Response().headers))
        request = Request("GET", "/")
        self.assertEqual(({}, {}), (request.query, request.headers))
