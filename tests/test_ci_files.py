"""The pipelines of GitHub and GitLab: valid by their schemas, and the same in what they run."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.browser.looking import FOLDER

CHECKOUT = Path(__file__).resolve().parent.parent
GITHUB = CHECKOUT / ".github" / "workflows" / "ci.yml"
GITLAB = CHECKOUT / ".gitlab-ci.yml"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def validate(path: Path, schema: str) -> subprocess.CompletedProcess[str]:
    """Validate by a schema that check-jsonschema brings along, without the network."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    if "gitlab" in schema:
        command += ["--data-transform", "gitlab-ci"]
    return subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        (GITHUB, "vendor.github-workflows"),
        (GITHUB, "custom.github-workflows-require-timeout"),
        (GITLAB, "vendor.gitlab-ci"),
    ],
)
def test_it_fits_the_schema(path: Path, schema: str, tmp_path: Path) -> None:
    result = validate(path, schema)
    assert result.returncode == 0, result.stdout + result.stderr
    wrong = tmp_path / path.name
    text = path.read_text()
    wrong.write_text(
        text.replace("timeout-minutes:", "timeout:").replace("stage: test", "stage: []")
    )
    assert validate(wrong, schema).returncode == 1


def commands(script: Any) -> list[str]:
    """Return the commands of a job, in either language."""
    steps = script["script"] if "script" in script else [
        step["run"] for step in script["steps"] if "run" in step
    ]  # fmt: skip
    return [" ".join(step.split()) for step in steps]


def test_both_run_the_same_commands() -> None:
    github = yaml.safe_load(GITHUB.read_text())["jobs"]
    gitlab = yaml.safe_load(GITLAB.read_text())
    assert set(github) == {"test", "audit", "build", "stack"}
    for name, job in github.items():
        assert commands(job) == commands(gitlab[name])
    assert github["test"]["strategy"]["matrix"]["python"] == PYTHONS
    assert gitlab["test"]["parallel"]["matrix"] == [{"PYTHON": PYTHONS}]


def test_both_keep_the_pictures_of_pages() -> None:
    steps = yaml.safe_load(GITHUB.read_text())["jobs"]["test"]["steps"]
    kept = [step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", "")]
    gitlab = yaml.safe_load(GITLAB.read_text())["test"]["artifacts"]
    assert kept == gitlab["paths"] == [str(FOLDER.relative_to(CHECKOUT))]
    assert gitlab["when"] == "always"


def test_the_oldest_python_is_the_one_that_is_promised() -> None:
    promised = re.search(
        r'requires-python = ">=([\d.]+)"', (CHECKOUT / "pyproject.toml").read_text()
    )
    assert promised
    assert promised[1] == PYTHONS[0]


def test_no_job_may_write_to_the_repository() -> None:
    github = yaml.safe_load(GITHUB.read_text())
    assert github["permissions"] == {"contents": "read"}
    assert not [job for job in github["jobs"].values() if "permissions" in job]
    for job in github["jobs"].values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"] == {"persist-credentials": False}


def test_the_targets_and_files_that_they_name_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    jobs = yaml.safe_load(GITHUB.read_text())["jobs"]
    named = {word for job in jobs.values() for line in commands(job) for word in line.split()}
    made = {line.split()[1] for job in jobs.values() for line in commands(job) if "make " in line}
    assert made == {"test", "test-stack"}
    assert made <= targets
    for name in (word for word in named if word.startswith("requirements")):
        assert (CHECKOUT / name).is_file()
    assert (CHECKOUT / "Dockerfile").is_file()
