"""The route table as an OpenAPI 3.1 document."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openapi_pydantic.util import PydanticSchema, construct_open_api_with_schema_class
from openapi_pydantic.v3.v3_1 import (
    Components,
    Header,
    Info,
    MediaType,
    OpenAPI,
    Operation,
    Parameter,
    PathItem,
    Reference,
    RequestBody,
    Response,
    SecurityScheme,
    Tag,
)
from pydantic import BaseModel

from producer.push.request import MAX_KEY
from producer.web.checks import requires
from producer.web.problems import (
    AWAY,
    BAD_REQUEST,
    CONTENT_TYPE,
    FAILED,
    INVALID,
    MISSING_SCOPE,
    TOO_LARGE,
    TOO_MANY,
    TOO_SLOW,
    UNAUTHENTICATED,
    WRONG_TYPE,
    Kind,
    ProblemDetails,
)
from producer.web.routes import JSON, Route
from volley import __version__

_ALWAYS = (BAD_REQUEST, UNAUTHENTICATED, MISSING_SCOPE, INVALID, TOO_MANY, FAILED, AWAY)
_WITH_BODY = (TOO_SLOW, TOO_LARGE, WRONG_TYPE)
_KEY = "apiKey"
_RETRIED = (TOO_MANY.status, AWAY.status)
_KEPT = {"optional": "30 days", "required": "24 hours"}
"""Where a key is required, all that it stands for may be one text."""
_TAGS = {
    "campaigns": "One push is one campaign.",
    "messages": "One text to one recipient.",
    "sending": "All sending of the account, stopped by hand and resumed.",
}


def describe(table: Sequence[Route]) -> dict[str, Any]:
    """The document, as `GET /v1/openapi.json` answers it."""
    paths: dict[str, PathItem] = {}
    for route in table:
        item = paths.setdefault(route.path, PathItem())
        setattr(item, route.method.lower(), _operation(route))
    bare = OpenAPI(
        info=Info(
            title="Volley",
            version=__version__,
            description="Bulk text messages: never twice, never lost, never too fast, each priced and recorded.",
        ),
        paths=paths,
        security=[{_KEY: []}],
        tags=[Tag(name=tag, description=_TAGS.get(tag)) for tag in dict.fromkeys(route.tag for route in table)],
        components=Components(
            securitySchemes={
                _KEY: SecurityScheme(
                    type="http", scheme="bearer", description="vk_live_… or vk_test_…, made by `volley keys create`"
                )
            }
        ),
    )
    described = construct_open_api_with_schema_class(bare)
    document: dict[str, Any] = described.model_dump(mode="json", by_alias=True, exclude_none=True)
    return document


def _operation(route: Route) -> Operation:
    scope = f"Scope: {route.scope}."
    return Operation(
        operationId=route.operation,
        summary=route.summary,
        description=f"{route.description}\n\n{scope}".strip(),
        tags=[route.tag],
        parameters=[*_in_path(route.path), *_in_query(route.query), *_in_headers(route)] or None,
        requestBody=_body(route),
        responses=dict(sorted(_responses(route))),
    )


def _in_path(path: str) -> Iterable[Parameter]:
    for piece in path.split("{")[1:]:
        name = piece.partition("}")[0]
        schema = {"type": "string", "pattern": "^[^{}/:?#]+$"}
        yield Parameter.model_validate({"name": name, "in": "path", "required": True, "schema": schema})


def _in_query(model: type[BaseModel]) -> Iterable[Parameter]:
    described: dict[str, Any] = model.model_json_schema()
    for name, schema in described.get("properties", {}).items():
        yield Parameter.model_validate(
            {
                "name": name,
                "in": "query",
                "required": name in described.get("required", ()),
                "description": schema.get("description"),
                "schema": _given(schema),
            }
        )


def _given(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Of a parameter that is there: it has no way to be null, and its place says what it is called."""
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    own = {name: value for name, value in schema.items() if name not in ("anyOf", "description", "title")}
    if own.get("default", ...) is None:
        del own["default"]
    if len(options) == 1:
        return {**own, **options[0]}
    return own | ({"anyOf": options} if options else {})


def _in_headers(route: Route) -> Iterable[Parameter]:
    if route.keyed:
        yield Parameter.model_validate(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": route.keyed == "required",
                "description": f"the same key with the same content is the same request, for {_KEPT[route.keyed]}",
                "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!-~]+$"},
            }
        )


def _body(route: Route) -> RequestBody | None:
    if route.body is not None:
        return RequestBody(required=requires(route.body), content={JSON: _json(route.body)})
    if route.bodies:
        content = {media: _json(model) if model else MediaType() for media, model in route.bodies.items()}
        return RequestBody(required=True, content=content)
    return None


def _json(model: type[BaseModel]) -> MediaType:
    return MediaType.model_validate({"schema": PydanticSchema.model_validate({"schema_class": model})})


def _responses(route: Route) -> Iterable[tuple[str, Response | Reference]]:
    for status, what in route.answers.items():
        content = {media: MediaType() for media in what} if isinstance(what, tuple) else {JSON: _json(what)}
        yield str(status), Response(description=route.summary, content=content)
    kinds = (*_ALWAYS, *(_WITH_BODY if route.body or route.bodies else ()), *route.problems)
    by_status: dict[int, list[Kind]] = {}
    for kind in dict.fromkeys(kinds):
        by_status.setdefault(kind.status, []).append(kind)
    for status, found in by_status.items():
        told = " · ".join(f"{kind.title} ({kind.slug})" for kind in found)
        headers = {"Retry-After": Header.model_validate({"description": "seconds", "schema": {"type": "integer"}})}
        yield (
            str(status),
            Response(
                description=told,
                content={CONTENT_TYPE: _json(ProblemDetails)},
                headers=dict(headers) if status in _RETRIED else None,
            ),
        )
