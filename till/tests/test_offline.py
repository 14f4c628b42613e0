"""The till's files as production serves them: collected, under names with digests."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client, override_settings

from accounts.models import User
from till import offline

# What the service worker looks for in a page or a script; see `named` in worker.js.
NAMED = re.compile(r'(?:(?:src|href)=|\bfrom |^import |\bimport\()"([^"#]+)', re.M)
FILES_MAX = 200


def _collect() -> None:
    # Finders remember the folders of the settings.
    clear: Any = getattr(finders.get_finder, "cache_clear")  # noqa: B009
    clear()
    call_command("collectstatic", interactive=False, verbosity=0)
    clear()


@pytest.fixture
def collected(tmp_path: Path) -> Any:
    """Static files as a deploy collects them."""
    storages = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    }
    with override_settings(STORAGES=storages, STATIC_ROOT=tmp_path / "static"):
        _collect()
        yield tmp_path / "static"


def _kept(text: str, base: str, root: Path, found: set[str]) -> set[str]:
    """Return what the worker keeps, by the paths below the static files."""
    for link in NAMED.findall(text):
        path = link if link.startswith("/") else str(Path(base).parent / link)
        path = str(Path(path.replace("&amp;", "&"))).replace("/./", "/")
        while re.search(r"/[^/]+/\.\./", path):
            path = re.sub(r"/[^/]+/\.\./", "/", path, count=1)
        if not path.startswith(settings.STATIC_URL) or path in found:
            continue
        found.add(path)
        file = root / path.removeprefix(settings.STATIC_URL)
        assert file.exists(), f"{base} names {link}, which a deploy does not have."
        if path.endswith(".js"):
            _kept(file.read_text(), path, root, found)
    return found


@pytest.mark.django_db
def test_the_worker_finds_all_files_of_a_deploy_and_a_deploy_is_another_version(
    collected: Path, client: Client, tmp_path: Path
) -> None:
    clerk = User.objects.create(username="clerk", is_client=True)
    client.force_login(clerk)
    page = client.get("/till/")
    assert page["Till-Version"] == offline.version()
    kept = _kept(page.text, "/till/", collected, set())
    assert {re.sub(r"\.[0-9a-f]{12}\.", ".", each).rpartition("/")[2] for each in kept} > {
        *("till.js", "queue.js", "sender.js", "lists.js", "words.js", "amounts.js", "money.js"),
        *("site.css", "tokens.css", "frame.js", "icons.svg"),
    }
    assert any(re.search(r"till\.[0-9a-f]{12}\.js", each) for each in kept), "with its digest"
    assert len(kept) < FILES_MAX / 2
    assert f'VERSION = "{offline.version()}"' in client.get("/till/worker.js").text
    # The next deploy changes one file.
    changed = tmp_path / "changed" / "till"
    changed.mkdir(parents=True)
    (changed / "lately.js").write_text("export const another = 1;\n")
    before = offline.version()
    with override_settings(STATICFILES_DIRS=[tmp_path / "changed", *settings.STATICFILES_DIRS]):
        _collect()
    assert offline.version() != before
