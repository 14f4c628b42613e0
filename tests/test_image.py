"""The image contains every package of the shop, and nothing that it does not need."""

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from django.conf import settings

from shop.core.apps import shop_apps

ROOT = Path(settings.BASE_DIR)
NOT_FOR_IT = {"benchmarks", "deploy", "tests"}
BESIDE_PACKAGES = {
    "locale",
    "deploy/healthcheck.py",
    "docs/api-introduction.md",
    "manage.py",
    "pyproject.toml",
    "requirements.lock",
    "requirements-s3.lock",
    "requirements-kafka.lock",
    "static",
    "templates",
}


def _is_sent(path: str, patterns: list[str]) -> bool:
    """Return whether Docker sends the file to the build. The last pattern that fits decides."""
    parts = path.split("/")
    above = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    sent = True
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        anywhere = bare.removeprefix("**/")
        fits = anywhere in parts if anywhere != bare else any(fnmatch(one, bare) for one in above)
        if fits:
            sent = pattern.startswith("!")
    return sent


def _patterns() -> list[str]:
    return [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def test_the_image_holds_every_package_and_nothing_else() -> None:
    folders = {path.split("/")[0] for path in _tracked() if path.count("/__init__.py") == 1}
    folders = {name for name in folders if (ROOT / name / "__init__.py").exists()} - NOT_FOR_IT
    assert {Path(config.path).name for config in shop_apps()} <= folders
    patterns = _patterns()
    assert {line[1:] for line in patterns if line.startswith("!")} == folders | BESIDE_PACKAGES
    for path in _tracked():
        tests = "tests" in path.split("/")
        wanted = path.split("/")[0] in folders or any(
            path == one or path.startswith(f"{one}/") for one in BESIDE_PACKAGES
        )
        assert _is_sent(path, patterns) == (wanted and not tests), path


def test_nothing_that_is_kept_out_of_the_repository_gets_into_the_image() -> None:
    for path in (".env", "var/postgresql/PG_VERSION", "secrets/key", "backups/shop.tar", ".venv/x"):
        assert not _is_sent(path, _patterns())


def test_the_tests_of_every_app_are_run() -> None:
    (paths,) = re.findall(r"^testpaths = (.*)$", (ROOT / "pyproject.toml").read_text(), re.M)
    assert paths == '["*/tests", "tests"]'


def test_every_app_has_its_place_among_the_layers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    linter = project["tool"]["importlinter"]
    layers = {
        name for layer in linter["contracts"][0]["layers"] for name in re.split("[ :|]+", layer)
    }
    for config in shop_apps():
        if config.name != "shop":
            assert config.name in layers, "Say in pyproject.toml where the app stands."
            assert config.name in linter["root_packages"]
