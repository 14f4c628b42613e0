"""What is different between two definitions, for whoever is about to publish one."""

from collections.abc import Iterator
from typing import Any, NamedTuple

_LISTS = ("questions", "outcomes", "categories", "bands")


class Change(NamedTuple):
    """``kind`` is ``added``, ``removed``, ``changed`` or ``moved``; ``name`` a title or a key.

    ``part`` is the name of the member of the definition, such as ``questions``.
    """

    kind: str
    part: str
    name: str = ""


def changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    """Yield the changes from one canonical definition, in dicts and lists, to another."""
    for part in dict.fromkeys([*after, *before]):
        one, other = before.get(part), after.get(part)
        if one == other:
            continue
        if part in _LISTS:
            yield from _in_list(part, one or [], other or [])
        else:
            yield Change("changed", part)


def _in_list(part: str, one: list[Any], other: list[Any]) -> Iterator[Change]:
    old, new = ({each["key"]: each for each in items} for items in (one, other))
    for key, item in new.items():
        if key not in old:
            yield Change("added", part, _name(item))
        elif item != old[key]:
            yield Change("changed", part, _name(item))
    for key, item in old.items():
        if key not in new:
            yield Change("removed", part, _name(item))
    if [key for key in old if key in new] != [key for key in new if key in old]:
        yield Change("moved", part)


def _name(item: dict[str, Any]) -> str:
    titles = item.get("title") or {}
    return str(next(iter(titles.values()), "") or item["key"])
