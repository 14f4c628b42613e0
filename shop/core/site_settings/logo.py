"""A small picture as a setting."""

import base64
import binascii
import hashlib
import io
import re
import warnings
from typing import Any

from django.utils.translation import gettext_noop

from shop.core.site_settings.kinds import Setting, Unfit

MAX_BYTES = 64 * 1024
MAX_EDGE = 1024
KEPT_EDGE = 256
"""A picture is made this small, which is enough for a header on any screen."""

_DATA = re.compile(r"data:image/(?:png|jpeg|webp);base64,([A-Za-z0-9+/]+={0,2})")
_KEPT = "data:image/png;base64,"


class Logo(Setting[str]):
    """A picture as a ``data:`` address; empty for none.

    What is kept is a PNG of our own making, so nothing of the given file but its pixels is served.
    """

    type = "image"

    @property
    def limits(self) -> dict[str, Any]:
        """Return ``maximum``, in bytes of the file."""
        return super().limits | {"maximum": MAX_BYTES}

    def check(self, value: Any) -> str:
        """Return the picture as it is kept."""
        return kept_picture(value)

    def recall(self, value: Any) -> str:
        """Return a picture that was kept."""
        if not isinstance(value, str) or not (value == "" or value.startswith(_KEPT)):
            raise _not_a_picture()
        return value

    def brief(self, value: str | None) -> Any:
        """Return what tells two pictures apart."""
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}" if value else value


def kept_picture(value: Any) -> str:
    """Return the picture of a ``data:`` address as it is kept; empty for none. Raise ``Unfit``."""
    if value == "":
        return ""
    match = _DATA.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _not_a_picture()
    if len(match[1]) > (MAX_BYTES + 2) * 4 // 3:
        raise Unfit("too_large", gettext_noop("Give a file of up to 64 KiB."))
    try:
        return address_of(_smaller(base64.b64decode(match[1], validate=True)))
    except binascii.Error:
        raise _not_a_picture() from None


def address_of(picture: bytes) -> str:
    """Return a PNG as a ``data:`` address."""
    return _KEPT + base64.b64encode(picture).decode()


def file_of(address: str) -> bytes:
    """Return the PNG of an address that was kept."""
    return base64.b64decode(address.removeprefix(_KEPT))


def _not_a_picture() -> Unfit:
    return Unfit("invalid", gettext_noop("Give a picture: PNG, JPEG or WebP, up to 1024 pixels."))


def _smaller(file: bytes) -> bytes:
    """Return the file's picture as a small PNG. Raise ``Unfit`` if it is none."""
    # Pillow takes long to import, and hardly any process ever checks a picture.
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(file), formats=("PNG", "JPEG", "WEBP")) as image:
                # The head tells the size, so a bomb is never unpacked.
                if max(image.size) > MAX_EDGE:
                    raise _not_a_picture()
                small = image.convert("RGBA")
    except Unfit:
        raise
    except Exception:
        # Pillow raises whatever its decoders meet in a broken file.
        raise _not_a_picture() from None
    small.thumbnail((KEPT_EDGE, KEPT_EDGE))
    out = io.BytesIO()
    small.save(out, "PNG", optimize=True)
    return out.getvalue()
