"""picows on asyncio, as its README does it."""

import asyncio

from messages import PORT, message, schedule
from picows import WSListener, WSMsgType, ws_create_server

viewers = set()


class Viewer(WSListener):
    def on_ws_connected(self, transport):
        viewers.add(transport)

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport):
        viewers.discard(transport)


async def main():
    server = await ws_create_server(lambda request: Viewer(), "127.0.0.1", PORT, backlog=4096)
    for wait, due in schedule():
        await asyncio.sleep(wait)
        data = message(due).encode()
        for transport in viewers:
            transport.send(WSMsgType.TEXT, data)
    await server.serve_forever()


asyncio.run(main())
