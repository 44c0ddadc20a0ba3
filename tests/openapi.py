"""Telnyx's own OpenAPI file as a judge of what our client asks and what the sandbox answers.

The file is at $VOLLEY_OPENAPI, else beside the repository. Where it is not there, tests for which it is one judge among others go
on without it, and those that are about nothing else (`needs_reference`) are skipped and say why.
Objects are closed: a field that the file does not name is refused.
"""

import functools
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

Json = Any

_BESIDE = Path(__file__).parents[2] / "shared/reference/telnyx-openapi-messaging.json"
_formats = FormatChecker(formats=())


def reference_is_here() -> bool:
    return Path(os.environ.get("VOLLEY_OPENAPI", _BESIDE)).is_file()


def needs_reference() -> None:
    """For tests about nothing else."""
    if not reference_is_here():
        pytest.skip("Telnyx's OpenAPI file is not here; VOLLEY_OPENAPI says where it is")


def validate_answer(method: str, path: str, status: int, answer: Json, *, closed: bool = True) -> None:
    """`path` is a template (`/messages/{id}`) or a real path or URL, `answer` the parsed JSON, None for an empty body.

    AssertionError says where it differs. `closed=False` lets fields pass that the file does not name (seen on the wire only).
    """
    if not reference_is_here():
        return
    template = _template(method, path)
    responses = _document(closed)["paths"][template][method.lower()]["responses"]
    known = next((key for key in (str(status), f"{status // 100}XX", "default") if key in responses), None)
    assert known is not None, f"{method} {template}: the reference has no answer {status}"
    place = ["paths", template, method.lower(), "responses", known]
    if "$ref" in responses[known]:
        place = responses[known]["$ref"].removeprefix("#/").split("/")
    _validate(answer, place, f"{method} {template} {status}", closed)


def validate_request(method: str, path: str, body: Json = None, *, closed: bool = True) -> None:
    """Body and, where `path` has a query, the names of its parameters."""
    if not reference_is_here():
        return
    template = _template(method, path)
    operation = _document(closed)["paths"][template][method.lower()]
    known = {name for each in operation.get("parameters", ()) for name in _query_names(_resolved(each))}
    asked = {name for name, _ in parse_qsl(urlsplit(path).query, keep_blank_values=True)}
    anything = {name.removesuffix("[*]") for name in known if name.endswith("[*]")}
    unknown = {name for name in asked - known if name.partition("[")[0] not in anything}
    assert not unknown, f"{method} {template}: unknown query parameters {sorted(unknown)}, known are {sorted(known)}"
    _validate(body, ["paths", template, method.lower(), "requestBody"], f"{method} {template}", closed)


def validate_schema(name: str, value: Json, *, closed: bool = True) -> None:
    """Against one of components/schemas, e.g. `OutboundMessageEvent`."""
    if reference_is_here():
        _judge(value, ["components", "schemas", name], name, closed)


def _validate(value: Json, place: list[str], what: str, closed: bool) -> None:
    found = _document(closed)
    for step in place:
        found = found.get(step, {})
    if "application/json" not in found.get("content", {}):
        assert value in (None, {}, ""), f"{what}: the reference has no body here"
        return
    _judge(value, [*place, "content", "application/json", "schema"], what, closed)


def _judge(value: Json, place: list[str], what: str, closed: bool) -> None:
    error = best_match(_validator(tuple(place), closed).iter_errors(value))
    if error is not None:
        where = "/".join(str(step) for step in error.absolute_path)
        raise AssertionError(f"{what} differs from the reference at /{where}: {error.message}")


@functools.lru_cache(maxsize=256)
def _validator(place: tuple[str, ...], closed: bool) -> Draft202012Validator:
    pointer = "/".join(
        step.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D") for step in place
    )
    return Draft202012Validator(_document(closed) | {"$ref": f"#/{pointer}"}, format_checker=_formats)


@functools.lru_cache(maxsize=2)
def _document(closed: bool) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(os.environ.get("VOLLEY_OPENAPI", _BESIDE)).read_text("utf-8"))
    _mend(document, closed)
    for operations in document["paths"].values():
        for operation in operations.values():
            _require_data(operation["responses"])
    return document


def _mend(node: Json, closed: bool) -> None:
    """Where the file contradicts itself: its own examples allow `*` as a destination, and `oneOf` alternatives overlap."""
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _mend(child, closed)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("oneOf"), list):
        node["anyOf"] = node.pop("oneOf")
    destinations = node.get("whitelisted_destinations")
    if isinstance(destinations, dict) and "items" in destinations:
        destinations["items"] = {"type": "string", "pattern": r"^([A-Z]{2}|\*)$"}
    if closed and isinstance(node.get("properties"), dict) and "object" in (node.get("type", "object") or ()):
        node.setdefault("additionalProperties", False)


def _require_data(responses: dict[str, Any]) -> None:
    """An answer in an envelope has its `data`, although the file calls it optional."""
    for response in responses.values():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        if "data" in schema.get("properties", ()):
            schema["required"] = sorted({*schema.get("required", ()), "data"})


def _template(method: str, path: str) -> str:
    """The path of the file that this one is an instance of: the one with the fewest placeholders."""
    steps = urlsplit(path).path.removeprefix("/v2").strip("/").split("/")
    fitting = [
        template
        for template, operations in _document(True)["paths"].items()
        if method.lower() in operations and _fits(template.strip("/").split("/"), steps)
    ]
    assert fitting, f"the reference has no {method} {path}"
    return min(fitting, key=lambda template: template.count("{"))


def _fits(template: list[str], steps: list[str]) -> bool:
    return len(template) == len(steps) and all(
        known == step or (known.startswith("{") and step != "") for known, step in zip(template, steps, strict=True)
    )


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _document(True)
    for step in node.get("$ref", "#").removeprefix("#").strip("/").split("/") if "$ref" in node else ():
        found = found[step]
    return found if "$ref" in node else node


def _query_names(parameter: dict[str, Any]) -> list[str]:
    """`filter` with properties a and b is written `filter[a]` and `filter[b]`; `filter[*]` where anything may stand."""
    name, schema = parameter["name"], parameter.get("schema", {})
    if parameter.get("in") != "query":
        return []
    if "properties" not in schema:
        return [name]
    names = [f"{name}[{each}]" for each in schema["properties"]]
    return [*names, f"{name}[*]"] if schema.get("additionalProperties") is True else names


@_formats.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(UUID(value)) == value.lower()


@_formats.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_formats.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)
