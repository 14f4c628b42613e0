"""Strict reading of JSON."""

from decimal import Decimal
from typing import IO, Any

import msgspec
from rest_framework.parsers import BaseParser

from shop.core.errors import ApplicationError, PayloadTooLarge

BODY_MAX_BYTES = 1024 * 1024
BOM = b"\xef\xbb\xbf"
_decoder = msgspec.json.Decoder(float_hook=Decimal)


class ParseError(ApplicationError):
    """The body is not JSON."""

    code = "parse_error"
    detail = "The body is not valid JSON."


def decode_json(body: bytes) -> Any:
    """Return the value of a JSON text; numbers with a fraction or exponent become ``Decimal``.

    Raise ``ParseError`` for anything that RFC 8259 does not allow, such as NaN. Raise it, too, for
    lone surrogates, for nesting that is too deep, and for numbers out of range. A UTF-8 byte order
    mark in front is skipped.
    """
    if body.startswith(BOM):
        body = body.removeprefix(BOM)
    try:
        return _decoder.decode(body)
    except RecursionError:
        raise ParseError("The JSON is nested too deeply.") from None
    except ArithmeticError:
        raise ParseError("The JSON holds a number that is out of range.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise ParseError(f"This is not valid JSON: {str(error)[:200]}") from None


class JSONParser(BaseParser):
    """``application/json`` of at most 1 MiB."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        body = stream.read(BODY_MAX_BYTES + 1)
        if len(body) > BODY_MAX_BYTES:
            raise PayloadTooLarge()
        return decode_json(body)


__all__ = ["BOM", "JSONParser", "ParseError", "decode_json"]
