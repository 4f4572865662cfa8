"""Receives the alerts of streamd, and prints each message once: python3 receiver.py [PORT]

Name http://localhost:8099/ under `to` in a table [alerts.NAME] of streamd.toml, and set STREAMD_TOKEN:
`streamd alert test NAME` prints a line here.
"""

import json
import sys
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, HTTPServer

seen: "OrderedDict[str, None]" = (
    OrderedDict()
)  # ids; streamd repeats one if it was killed meanwhile


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if message["id"] not in seen:
            seen[message["id"]] = None
            if len(seen) > 1000:
                seen.popitem(last=False)
            print(message["kind"], message["title"], message["text"], sep="\n  ", flush=True)  # noqa: T201
        self.send_response(204)  # any answer from 200 to 299: streamd sends the next message
        self.end_headers()


HTTPServer(("127.0.0.1", int((sys.argv[1:] or ["8099"])[0])), Receiver).serve_forever()
