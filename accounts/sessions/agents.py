"""What a browser is called, by its ``User-Agent``.

That is for people who look for a session that is not theirs. It is what the client says of itself,
so nothing depends on it.
"""

import re

from django.utils.translation import gettext as _

_BROWSERS = (
    ("Edge", r"\bEdg(e|A|iOS)?/"),
    ("Opera", r"\bOPR/|\bOpera\b"),
    ("Samsung Internet", r"\bSamsungBrowser/"),
    ("Firefox", r"\bFirefox/|\bFxiOS/"),
    ("Chrome", r"\b(Headless)?Chrome/|\bCriOS/|\bChromium/"),
    ("Safari", r"\bSafari/"),
    ("curl", r"^curl/"),
    ("Python", r"^python-(requests|httpx)|^Python-urllib"),
)
_SYSTEMS = (
    ("Android", r"\bAndroid\b"),
    ("iPhone", r"\biPhone\b"),
    ("iPad", r"\biPad\b"),
    ("Windows", r"\bWindows\b"),
    ("macOS", r"\bMac OS X\b|\bMacintosh\b"),
    ("ChromeOS", r"\bCrOS\b"),
    ("Linux", r"\bLinux\b|\bX11\b"),
)


def _first(names: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for name, pattern in names if re.search(pattern, agent)), "")


def family(agent: str) -> tuple[str, str]:
    """Return the browser and the system, each ``""`` if unknown; without versions."""
    return _first(_BROWSERS, agent), _first(_SYSTEMS, agent)


def agent_name(agent: str) -> str:
    """Return words such as ``Firefox, Linux``, in the reader's language."""
    return ", ".join(filter(None, family(agent))) or _("Unknown browser")
