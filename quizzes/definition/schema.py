"""The JSON Schema of ``shop-quiz/1``, made of its structs.

It says what ``parse`` says: the shape of a definition, and not yet whether it can be published.
"""

import inspect
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect as types

from quizzes.definition.canonical import builtin
from quizzes.definition.numbers import PLAIN, Number
from quizzes.definition.structs import FORMAT, Condition, Quiz

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_END = r"(?![\s\S])"
_NUMBER: Schema = {
    "description": "At most nine digits before and three after the point.",
    "type": ["number", "string"],
    "exclusiveMinimum": -(10**9),
    "exclusiveMaximum": 10**9,
    "pattern": f"^{PLAIN.pattern}{_END}",
}
_NAMES: dict[type[types.Type], str] = {
    types.StrType: "string",
    types.IntType: "integer",
    types.BoolType: "boolean",
    types.NoneType: "null",
}
_LIMITS = {
    "pattern": "pattern",
    "min_length": "minLength",
    "max_length": "maxLength",
    "ge": "minimum",
    "le": "maximum",
}


@cache
def quiz_schema() -> bytes:
    """Return the schema as JSON."""
    found: dict[str, Schema] = {}
    schema = {
        "$schema": DIALECT,
        "title": FORMAT,
        "description": "A quiz: what `POST companies/{company}/quizzes/` takes as `definition`.",
        **_of(types.type_info(Quiz), found),
        "$defs": dict(sorted(found.items())),
    }
    return msgspec.json.format(msgspec.json.encode(schema), indent=1)


def _of(kind: types.Type, found: dict[str, Schema]) -> Schema:
    """Return the schema of a type. Structs are added to ``found`` by their names."""
    match kind:
        case types.StructType():
            return _struct(kind, found)
        case types.UnionType():
            return {"anyOf": [_of(each, found) for each in kind.types]}
        case types.ListType():
            most = {
                name: value
                for name, value in (("minItems", kind.min_length), ("maxItems", kind.max_length))
                if value is not None
            }
            return {"type": "array", "items": _of(kind.item_type, found), **most}
        case types.DictType():
            names = _of(kind.key_type, found)
            values = _of(kind.value_type, found)
            return {"type": "object", "propertyNames": names, "additionalProperties": values}
        case types.LiteralType():
            return {"enum": list(kind.values)}
        case types.CustomType(cls=cls) if cls is Number:
            found["Number"] = _NUMBER
            return {"$ref": "#/$defs/Number"}
    limits = {name: getattr(kind, limit, None) for limit, name in _LIMITS.items()}
    return {"type": _NAMES[type(kind)]} | {
        name: value for name, value in limits.items() if value is not None
    }


def _struct(kind: types.StructType, found: dict[str, Schema]) -> Schema:
    name = kind.cls.__name__
    if name not in found:
        found[name] = {}
        properties = {each.encode_name: _field(each, found) for each in kind.fields}
        required = [each.encode_name for each in kind.fields if each.required]
        if kind.tag_field is not None:
            properties = {kind.tag_field: {"const": kind.tag}} | properties
            required = [kind.tag_field, *required]
        words = kind.cls.__dict__.get("__doc__")
        found[name] = {
            **({"description": inspect.cleandoc(words).replace("``", "`")} if words else {}),
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
            **(_ONE_CONDITION if kind.cls is Condition else {}),
        }
    return {"$ref": f"#/$defs/{name}"}


def _field(field: types.Field, found: dict[str, Schema]) -> Schema:
    schema = _of(field.type, found)
    default = field.default
    if default is None or default is msgspec.NODEFAULT:
        return schema
    # msgspec's own schemas cannot hold the default of a `Number`.
    return {**schema, "default": builtin(default)}


def _there(name: str) -> Schema:
    """Return the schema of whatever has this member; null is as good as none."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


_LOOKS = [_there(name) for name in ("is", "not", "gte", "lte", "answered")]
_ONE_CONDITION: Schema = {
    "oneOf": [_there(name) for name in ("all", "any", "q")],
    "if": _there("q"),
    "then": {"oneOf": _LOOKS},
    "else": {"not": {"anyOf": _LOOKS}},
}
"""What the struct checks when it is made."""
