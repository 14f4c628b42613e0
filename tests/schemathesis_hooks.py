"""How schemathesis writes the bodies that are not JSON."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson", "text/csv")
def text(context: Any, value: Any) -> bytes:
    """Send a generated string as it is; the schema says no more about lines than that."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
