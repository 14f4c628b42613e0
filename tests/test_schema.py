"""The running site against the committed schema, by schemathesis, with stateful scenarios.

``make test ARGS="tests/test_schema.py"`` with ``SCHEMA_EXAMPLES=500`` in the environment is a long
run with random examples, as a customer and as staff. Without it the run is short and always the
same.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.limits import forget_limits
from tests.system import ROOT, System

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "0"))


def test_the_schema_is_for_those_who_do_not_know_the_code() -> None:
    text = (ROOT / "docs" / "openapi.json").read_text()
    assert not re.search(r":(func|class|mod):|(?<!`)``(?!`)|serializer", text)
    schema = json.loads(text)
    assert schema["servers"]
    assert schema["info"]["license"]
    price = schema["components"]["schemas"]["PurchaseInputRequest"]["properties"]["price"]
    assert not re.search(price["pattern"], "-1.00")
    assert re.search(price["pattern"], "12.50")
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    text = (ROOT / "docs" / "openapi.json").read_text()
    named = set(re.findall(r'"#/components/schemas/([^"/]+)"', text))
    assert named == json.loads(text)["components"]["schemas"].keys()


def test_bulk_bodies_are_typed_as_what_they_are() -> None:
    schema = json.loads((ROOT / "docs" / "openapi.json").read_text())
    content = schema["paths"]["/api/v1/purchases/bulk/"]["post"]["requestBody"]["content"]
    kinds = {name: body["schema"]["type"] for name, body in content.items()}
    assert kinds == {
        "application/x-ndjson": "string",
        "text/csv": "string",
        "application/json": "array",
    }


def test_headers_that_matter_are_in_the_schema() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    record = paths["/api/v1/purchases/"]["post"]["responses"]
    assert "Location" in record["201"]["headers"]
    assert "Idempotent-Replayed" in record["200"]["headers"]
    for operations in paths.values():
        for operation in operations.values():
            assert "Retry-After" in operation["responses"]["503"]["headers"]


@pytest.mark.system
@pytest.mark.parametrize("username", ["joe", "staff"] if EXAMPLES else ["joe"])
def test_every_answer_is_what_the_schema_says(
    system: System, tmp_path: Path, username: str
) -> None:
    forget_limits(system)
    token = system.token(username)
    me = system.request("GET", "/api/v1/accounts/me/", token=token).json()
    command = [
        *(sys.executable, "-m", "schemathesis.cli"),
        *("--config-file", str(ROOT / "tests" / "schemathesis.toml")),
        *("run", str(ROOT / "docs" / "openapi.json"), "--url", system.url),
        *("--header", f"Authorization: Token {token}"),
        *("--phases", "examples,coverage,fuzzing,stateful"),
        *("--max-examples", str(EXAMPLES or 6), "--continue-on-failure", "--no-color"),
        *(() if EXAMPLES else ("--generation-deterministic",)),
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ
        | {"SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
        | {"SCHEMA_RIGHTS": " ".join(me["permissions"])},
        capture_output=True,
        text=True,
        # A minute of processor time, on a machine that may be busy.
        timeout=3600 if EXAMPLES else 900,
    )
    forget_limits(system)
    assert done.returncode == 0, done.stdout + done.stderr
    if EXAMPLES:
        print(done.stdout)
    assert "Stateful" in done.stdout
    # After the end of its session, all further answers would be 401.
    assert system.request("GET", "/api/v1/accounts/me/", token=token).status == 200
    assert system.healthy()
