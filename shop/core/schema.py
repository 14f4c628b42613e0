"""The OpenAPI schema: what drf-spectacular cannot read from the views."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema

ENVELOPE = {
    "type": "object",
    "required": ["type", "errors"],
    "properties": {
        "type": {
            "type": "string",
            "enum": ["validation_error", "client_error", "server_error"],
        },
        "errors": {
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
        },
    },
    "example": {
        "type": "validation_error",
        "errors": [{"code": "required", "detail": "This field is required.", "attr": "price"}],
    },
}
CLASSIC_ERROR = {
    "type": "object",
    "required": ["status", "message", "errors"],
    "properties": {
        "status": {"type": "string", "enum": ["Error"]},
        "message": {"type": "string"},
        "errors": ENVELOPE["properties"]["errors"],  # type: ignore[index]
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
# What a client can do with an answer: operation → status → link → (operation, parameters).
LINKS: dict[str, dict[str, dict[str, tuple[str, dict[str, str]]]]] = {
    "purchases_record": {
        status: {
            "the purchase": ("purchases_retrieve", {"id": "$response.body#/id"}),
            "the customer's purchases": (
                "getAllUserBuys",
                {"username": "$response.body#/username"},
            ),
        }
        for status in ("200", "201")
    },
    "buy": {"200": {"the purchase": ("purchases_retrieve", {"id": "$response.body#/_id"})}},
    "reports_create": {
        "202": {
            "the report": ("reports_retrieve", {"id": "$response.body#/id"}),
            "its PDF": ("reports_pdf", {"id": "$response.body#/id"}),
        }
    },
    "events_list": {
        "200": {"what came since": ("events_list", {"after": "$response.body#/position"})}
    },
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
# Headers of an answer: operation → status → headers.
HEADERS: dict[str, dict[str, dict[str, Any]]] = {
    "purchases_record": {
        "200": {"Idempotent-Replayed": REPLAYED},
        "201": {"Location": LOCATION},
    },
    "purchases_bulk": {"200": {"Idempotent-Replayed": REPLAYED}},
    "buy": {"200": {"Idempotent-Replayed": REPLAYED}},
    "reports_create": {"202": {"Idempotent-Replayed": REPLAYED}},
}
OPEN = {"accounts_create", "auth_token"}
THROTTLED = {"accounts_create", "auth_token", "reports_create"}


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "From `POST /api/v1/auth/token/`. `Token <token>` is the same.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The browser's session; writes also need `X-CSRFToken`.",
        }


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

    def get_tags(self) -> list[str]:
        parts = self.path.removeprefix("/api/v1/").strip("/").split("/")
        return ["accounts" if parts[0] == "auth" else parts[0]]


def _statuses(operation: dict[str, Any], path: str) -> list[str]:
    name = operation["operationId"]
    statuses = ["400", "503"]
    if name not in OPEN:
        statuses += ["401", "403"]
    if "{" in path:
        statuses.append("404")
    if "requestBody" in operation:
        statuses += ["413", "415"]
    if name in THROTTLED or name not in OPEN:
        statuses.append("429")
    return statuses


def document_errors(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Add the error envelope, and the error answers that every operation can give."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    for field in [f for schema in schemas.values() for f in schema.get("properties", {}).values()]:
        # No number in the ledger is below zero.
        if field.get("format") == "decimal" and "pattern" in field:
            field["pattern"] = field["pattern"].replace("^-?\\d{0,", "^\\d{1,")
    schemas["ErrorEnvelope"] = ENVELOPE
    schemas["OriginalError"] = CLASSIC_ERROR
    for path in [path for path in result["paths"] if path.startswith("/scalable-shop-cm-server")]:
        # The prefix is an alias, which the description mentions.
        del result["paths"][path]
    for path, operations in result["paths"].items():
        name = "ErrorEnvelope" if path.startswith("/api/") else "OriginalError"
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        for operation in operations.values():
            responses = operation["responses"]
            for status in _statuses(operation, path):
                responses.setdefault(status, {"description": MEANINGS[status], "content": content})
            for status, links in LINKS.get(operation["operationId"], {}).items():
                responses[status]["links"] = {
                    name: {"operationId": target, "parameters": parameters}
                    for name, (target, parameters) in links.items()
                }
            for status in {"429", "503"} & responses.keys():
                responses[status]["headers"] = {"Retry-After": RETRY_AFTER}
            if "x-permission" in operation:
                responses["403"]["headers"] = {"Accepted-Permissions": ACCEPTED_PERMISSIONS}
            for status, headers in HEADERS.get(operation["operationId"], {}).items():
                responses[status]["headers"] = headers
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
            operation["responses"] = dict(sorted(responses.items()))
    return result
