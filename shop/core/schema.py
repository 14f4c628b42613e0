"""The OpenAPI schema: what drf-spectacular cannot read from the views."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.plumbing import force_instance
from drf_spectacular.utils import OpenApiResponse

from shop.core.apps import error_dialects
from shop.core.bodies import Body
from shop.core.paths import CLASSIC_PREFIX

ERRORS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["code", "detail", "attr"],
        "properties": {
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "attr": {"type": "string", "nullable": True},
        },
    },
}
ENVELOPE = {
    "type": "object",
    "required": ["type", "errors"],
    "properties": {
        "type": {
            "type": "string",
            "enum": ["validation_error", "client_error", "server_error"],
        },
        "errors": ERRORS,
    },
    "example": {
        "type": "validation_error",
        "errors": [{"code": "required", "detail": "This field is required.", "attr": "price"}],
    },
}
MEANINGS = {
    "400": "Something about the request is malformed; `errors` says what.",
    "401": "Not signed in, or the token is not good.",
    "403": "Signed in, and not allowed.",
    "404": "There is nothing here that you may see.",
    "413": "The body is too large.",
    "415": "The content type is not taken.",
    "429": "Too many requests; `Retry-After` says when to try again.",
    "503": "It cannot be done now; `Retry-After` says when to send the same request again.",
}
ACCEPTED_PERMISSIONS = {
    "description": "What is needed, `part:verb`, where it is a matter of permissions.",
    "schema": {"type": "string"},
}
RETRY_AFTER = {
    "description": "Seconds after which trying again is worth it.",
    "schema": {"type": "integer", "minimum": 1},
}
REPLAYED = {
    "description": "The same request was answered before; this is that answer.",
    "schema": {"type": "string", "enum": ["true"]},
}
LOCATION = {
    "description": "The address of what was made.",
    "schema": {"type": "string", "format": "uri-reference"},
}
_ANSWERS = "x-answers"
BODY_OPTIONAL = "x-body-optional"
"""An extension of an operation that can do without its body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer has beside its body, which drf-spectacular has no words for.

    ``headers`` are the OpenAPI objects by name. ``links`` say what a client can do with the answer:
    by a link's name, the id of an operation and its parameters.
    """

    headers: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)


def answers(by_status: Mapping[str, Answer]) -> dict[str, Any]:
    """Return ``extensions`` for ``extend_schema``: what an operation's answers have."""
    return {_ANSWERS: by_status}


def envelope(description: str) -> OpenApiResponse:
    """Return what ``extend_schema`` takes for an answer that is the error envelope."""
    return OpenApiResponse({"$ref": "#/components/schemas/ErrorEnvelope"}, description)


KEY_REUSED = envelope("The key was used before with another body.")
MADE_ONCE = answers(
    {"201": Answer(headers={"Idempotent-Replayed": REPLAYED, "Location": LOCATION})}
)
"""The ``extensions`` of a POST that takes an idempotency key and answers with a new address."""


class AutoSchema(SpectacularAutoSchema):
    """Groups operations by the first part of their path below ``/api/v1/``.

    A view says in ``required`` what each of its methods needs.
    """

    @property
    def _rule(self) -> Any:
        view: Any = self.view
        return view.required[self.method]

    def get_auth(self) -> list[dict[str, list[str]]]:
        auth: list[dict[str, list[str]]] = super().get_auth()
        return [{}] if self._rule.is_open else auth

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        permission = self._rule.permission
        if operation is not None and permission is not None:
            operation["x-permission"] = permission.code
        return operation

    def _map_serializer(
        self, serializer: Any, direction: Any, bypass_extensions: Any = False
    ) -> Any:
        schema = super()._map_serializer(serializer, direction, bypass_extensions)
        instance = force_instance(serializer)
        if isinstance(instance, Body):
            if direction == "request":
                schema["additionalProperties"] = False
            if type(instance).__doc__ is None:
                # What the class of all bodies says is for who reads the code.
                schema.pop("description", None)
        return schema

    def get_tags(self) -> list[str]:
        parts = self.path.removeprefix("/api/v1/").strip("/").split("/")
        return parts[:1]


def _statuses(operation: dict[str, Any], path: str) -> list[str]:
    statuses = ["400", "429", "503"]
    if {} not in operation["security"]:
        statuses += ["401", "403"]
    if "{" in path:
        statuses.append("404")
    if "requestBody" in operation:
        statuses += ["413", "415"]
    return statuses


def _beside_body(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if answer.links:
        found["links"] = {
            name: {"operationId": target, "parameters": parameters}
            for name, (target, parameters) in answer.links.items()
        }
    if answer.headers:
        found["headers"] = answer.headers
    return found


def document_errors(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Add the error envelope, and the error answers that every operation can give."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    for number in [f for schema in schemas.values() for f in schema.get("properties", {}).values()]:
        # No number in the ledger is below zero.
        if number.get("format") == "decimal" and "pattern" in number:
            number["pattern"] = number["pattern"].replace("^-?\\d{0,", "^\\d{1,")
    schemas["ErrorEnvelope"] = ENVELOPE
    dialects = error_dialects()
    schemas |= {dialect.name: dialect.schema for dialect in dialects}
    for path in [path for path in result["paths"] if path.startswith(CLASSIC_PREFIX)]:
        # The prefix is an alias, which the description mentions.
        del result["paths"][path]
    for path, operations in result["paths"].items():
        name = next((each.name for each in dialects if each.owns(path)), "ErrorEnvelope")
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        for operation in operations.values():
            responses = operation["responses"]
            for status in _statuses(operation, path):
                responses.setdefault(status, {"description": MEANINGS[status], "content": content})
            for status in {"429", "503"} & responses.keys():
                responses[status]["headers"] = {"Retry-After": RETRY_AFTER}
            if "x-permission" in operation:
                responses["403"]["headers"] = {"Accepted-Permissions": ACCEPTED_PERMISSIONS}
            for status, answer in operation.pop(_ANSWERS, {}).items():
                responses[status] |= _beside_body(answer)
            if "requestBody" in operation:
                operation["requestBody"]["required"] = not operation.pop(BODY_OPTIONAL, False)
            operation["responses"] = dict(sorted(responses.items()))
    return result
