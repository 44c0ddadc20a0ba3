"""The page of `volley serve`: files of the package, served as they are. They hold nothing of anybody's, so they need no key."""

from importlib import resources

from aiohttp import web
from aiohttp.typedefs import Handler

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # another release brings other files, and they must fit each other
    "Cache-Control": "no-cache",
}


def add_page(app: web.Application) -> None:
    """`/` and what it loads, below `/page/`."""
    for file in (resources.files("producer.web") / "static" / "page").iterdir():
        kind = _TYPES[file.name.rpartition(".")[2]]
        path = "/" if file.name == "index.html" else f"/page/{file.name}"
        app.router.add_get(path, _serving(file.read_bytes(), kind))


def _serving(body: bytes, kind: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=_HEADERS)

    return answer
