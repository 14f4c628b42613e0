"""The Procfile: the processes of the site, each with its command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from shop.local.processes import StartError


def read_procfile(path: Path) -> dict[str, list[str]]:
    """Return the words of each command by the name of its process, variables not yet expanded.

    Raise ``StartError`` if a line is not of the form ``name: command`` or a name is repeated.
    """
    commands: dict[str, list[str]] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, command = line.partition(":")
        if not colon or not re.fullmatch(r"[\w-]+", name) or name in commands:
            raise StartError(f"{path.name}, line {number}: `name: command` is expected")
        commands[name] = shlex.split(command)
    return commands


def expand(words: list[str], values: Mapping[str, str]) -> list[str]:
    """Return the words with $NAME and ${NAME} replaced.

    Raise ``StartError`` if a name has no value.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in values:
            raise StartError(f"the Procfile uses ${name}, which is not set")
        return values[name]

    return [re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, word) for word in words]
