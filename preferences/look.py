"""The logo and the colour of the shop, as files that its pages load."""

import hashlib
from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from accounts.rules import OPEN, requires
from shop.core.errors import NotFound, error_response
from shop.core.site_settings.general import ACCENT, LOGO
from shop.core.site_settings.logo import file_of

COLOURS = {
    "blue": ("#1d5fbf, #8ab8ff", "#ffffff, #0a1c38", "#e4eefb, #1a2a42"),
    "violet": ("#6b3fc4, #bfa5ff", "#ffffff, #1d0f3d", "#efe8fc, #2a2143"),
    "red": ("#b3261e, #ffa39b", "#ffffff, #3a0a07", "#fce8e6, #3d1f1c"),
    "brown": ("#7d4e1d, #e0b07c", "#ffffff, #2b1804", "#f6ecdf, #352816"),
}
"""The light and the dark colour of each of ``TOKENS``; green is that of the style sheets."""
TOKENS = ("--accent", "--accent-ink", "--accent-soft")


@lru_cache(maxsize=2)
def logo_file(address: str) -> tuple[bytes, str]:
    """Return the PNG of a logo, and its ETag."""
    content = file_of(address)
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


@require_safe
@requires(GET=OPEN)
def logo(request: HttpRequest) -> HttpResponseBase:
    """Send the logo, if there is one."""
    if not LOGO.value:
        return error_response(request, NotFound())
    content, etag = logo_file(LOGO.value)
    return _file(request, content, "image/png", etag)


@require_safe
@requires(GET=OPEN)
def colours(request: HttpRequest) -> HttpResponseBase:
    """Send the style sheet that replaces the colour of links and buttons."""
    style = style_sheet(ACCENT.value)
    return _file(request, style.encode(), "text/css", f'"{ACCENT.value}"')


def style_sheet(accent: str) -> str:
    """Return the style sheet of a colour, empty for the usual one."""
    if accent not in COLOURS:
        return ""
    pairs = zip(TOKENS, COLOURS[accent], strict=True)
    return f"@layer tokens{{:root{{{''.join(f'{n}:light-dark({v});' for n, v in pairs)}}}}}\n"


def _file(request: HttpRequest, content: bytes, kind: str, etag: str) -> HttpResponseBase:
    response = HttpResponse(content, content_type=kind)
    response["ETag"] = etag
    # The pages' links name the version in their query.
    response["Cache-Control"] = f"public, max-age={86_400 if request.GET else 60}"
    return get_conditional_response(request, etag=etag, response=response) or response
