"""websockets on asyncio, as its documentation on broadcasting does it: broadcast()."""

import asyncio

from messages import PORT, message, schedule
from websockets.asyncio.server import broadcast, serve

viewers = set()


async def view(websocket):
    viewers.add(websocket)
    try:
        await websocket.wait_closed()
    finally:
        viewers.remove(websocket)


async def main():
    async with serve(view, "127.0.0.1", PORT, backlog=4096) as server:
        for wait, due in schedule():
            await asyncio.sleep(wait)
            broadcast(viewers, message(due))
        await server.serve_forever()


asyncio.run(main())
