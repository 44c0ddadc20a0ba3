"""An HTTP handler that does nothing but wait until one write is on the disk: what `POST /v1/messages` is measured against."""

import argparse
import asyncio

import uvloop
from aiohttp import web

from volley.outbox.connect import connect

KEY = "bench:empty"


async def main(redis_url: str, port: int) -> None:
    redis = await connect(redis_url)

    async def wait(request: web.Request) -> web.Response:
        await request.read()
        pipeline = redis.pipeline(transaction=False)
        pipeline.execute_command("SET", KEY, "1")
        pipeline.execute_command("WAITAOF", 1, 0, 1000)
        await pipeline.execute()
        return web.json_response({}, status=202)

    app = web.Application()
    app.router.add_post("/", wait)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvloop.run(main(options.redis, options.port))
