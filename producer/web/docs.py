"""`/v1/openapi.json`, and `/v1/docs` for people: files of the package, and nothing from elsewhere."""

from collections.abc import Iterable
from importlib import resources
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

_TYPES = {"docs.html": "text/html", "docs.css": "text/css", "docs.js": "text/javascript"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Docs:
    """Pages that need no key: they say what can be asked, and hold nothing of anybody's."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = orjson.dumps(document)

    def pages(self) -> Iterable[tuple[str, Handler]]:
        yield "/v1/openapi.json", _page(self._document, "application/json")
        folder = resources.files("producer.web") / "static"
        for name, kind in _TYPES.items():
            path = "/v1/docs" if name == "docs.html" else f"/v1/docs/{name}"
            yield path, _page((folder / name).read_bytes(), kind)


def _page(body: bytes, kind: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=_HEADERS)

    return answer
