"""Actions: declared, documented, used, and each once."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.utils.module_loading import import_string

from audit.actions import declared_actions
from shop.core.apps import shop_apps

_ACTION = re.compile(r"[a-z]+\.[a-z_]+")
_ROW = re.compile(r"^\| `([a-z]+\.[a-z_]+)` \| (.+) \|$", re.MULTILINE)


def _trees() -> Iterator[tuple[str, ast.AST]]:
    for config in shop_apps():
        for path in (settings.BASE_DIR / config.name).rglob("*.py"):
            if "tests" not in path.parts:
                yield str(path), ast.parse(path.read_text())


def test_each_action_is_declared_once_in_words() -> None:
    mappings = [import_string(name) for config in shop_apps() for name in config.audit_actions]
    assert sum(map(len, mappings)) == len(declared_actions())
    for action, words in declared_actions().items():
        assert _ACTION.fullmatch(action)
        assert str(words).endswith(".")


def test_the_table_of_the_documentation_is_what_the_apps_declare() -> None:
    rows = dict(_ROW.findall((settings.BASE_DIR / "docs" / "audit.md").read_text()))
    assert rows == {action: str(words) for action, words in declared_actions().items()}


def test_each_action_is_recorded_somewhere_and_what_is_recorded_is_declared() -> None:
    named: Counter[str] = Counter()
    begun = set()
    undeclared = set()
    for path, tree in _trees():
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)):
                    named[text] += 1
                case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
                    begun.add(text)
                case ast.Call(func=ast.Name(id="record"), args=[ast.Constant(value=action), *_]):
                    if action not in declared_actions():
                        undeclared.add((path, action))
    assert undeclared == set()
    # Its declaration names it once.
    unused = {action for action in declared_actions() if named[action] < 2}
    assert {action for action in unused if f"{action.partition('.')[0]}." not in begun} == set()
