"""The bodies of configuration requests: JSON into a model, and what is wrong with it into Telnyx's words."""

from typing import TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from volley.sandbox.replies import Refusal

M = TypeVar("M", bound="Body")

_CODES = {
    "missing": "10004",
    "literal_error": "10032",
    "enum": "10032",
    "string_too_long": "10025",
    "string_too_short": "10025",
    "too_short": "10033",
    "too_long": "10033",
    "greater_than_equal": "10033",
    "less_than_equal": "10033",
    "finite_number": "10033",
}
"""pydantic's name for what is wrong → Telnyx's code; what ends in `_type` is 10026, a name of digits the code itself, the
rest 10015."""


class Body(BaseModel):
    """Fields that the reference does not name are passed over: its schemas are open."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    @property
    def given(self) -> dict[str, object]:
        """What was in the request, and nothing else."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def read(model: type[M], body: bytes) -> M:
    """Raises Refusal for what is wrong first, with a pointer to it."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal("10023", f"The request body is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refusal("10015", "The request body must be a JSON object.")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> Refusal:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    kind = first["type"]
    pointer = "".join(f"/{step}" for step in first["loc"])
    code = kind if kind.isdigit() else _CODES.get(kind, "10026" if kind.endswith(("_type", "_parsing")) else "10015")
    return Refusal(code, f"{pointer.lstrip('/')}: {first['msg']}", pointer=pointer)
