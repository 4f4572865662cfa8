"""Flask-SocketIO on eventlet, the way most tutorials have it: emit() from a background task."""

import eventlet

eventlet.monkey_patch()

from flask import Flask  # noqa: E402
from flask_socketio import SocketIO  # noqa: E402
from messages import PORT, schedule, value  # noqa: E402

app = Flask(__name__)
socketio = SocketIO(app, async_mode="eventlet", cors_allowed_origins="*")


def publish():
    for wait, due in schedule():
        socketio.sleep(wait)
        socketio.emit("t", {"t": value(due)})


socketio.start_background_task(publish)
listener = eventlet.listen(("127.0.0.1", PORT), backlog=4096)
eventlet.wsgi.server(listener, app, max_size=20_000, log_output=False)
