"""aiohttp, as its examples do it: a set of WebSocketResponse, one send_str after the other."""

import asyncio

from aiohttp import web
from messages import PORT, message, schedule

viewers = set()


async def view(request):
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    viewers.add(websocket)
    try:
        async for _ in websocket:
            pass
    finally:
        viewers.discard(websocket)
    return websocket


async def publish():
    for wait, due in schedule():
        await asyncio.sleep(wait)
        text = message(due)
        for websocket in list(viewers):
            await websocket.send_str(text)


async def background(app):
    task = asyncio.create_task(publish())
    yield
    task.cancel()


app = web.Application()
app.router.add_get("/", view)
app.cleanup_ctx.append(background)
web.run_app(app, host="127.0.0.1", port=PORT, backlog=4096, access_log=None, print=None)
