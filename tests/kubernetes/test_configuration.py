"""Pods have the rights and the secrets that they need, and no others."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import yaml

from tests.kubernetes.conftest import CERTIFICATE
from tests.kubernetes.rendering import (
    CHECKOUT,
    Document,
    containers,
    named,
    pod_spec,
    pods,
    read,
    render,
)


def test_no_container_has_more_rights_than_it_needs(documents: list[Document]) -> None:
    for document in pods(documents):
        spec = pod_spec(document)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] >= 10000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    for container in containers(documents):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} == set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
        assert re.fullmatch(r"registry\.example\.com/scalable-shop:[\w.]+", container["image"])


def test_only_the_job_has_the_owner_of_the_tables(documents: list[Document]) -> None:
    for document in pods(documents):
        text = yaml.safe_dump(document)
        assert ("shop-owner" in text) is (document["kind"] == "Job")
        assert ("DATABASE_ROLE" in text) is (document["kind"] == "Job")


def _variables() -> set[str]:
    text = (CHECKOUT / ".env.example").read_text()
    return set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))


def test_the_configuration_has_only_names_that_the_code_reads(documents: list[Document]) -> None:
    ours = {"HOME", "PUBLIC_HOSTS", "PGSSLROOTCERT"}
    given = set(named(documents, "ConfigMap")["shop"]["data"]) - ours
    assert {name.removesuffix("_FILE") for name in given} <= _variables()
    for container in containers(documents):
        names = {one["name"] for one in container.get("env", [])} - {*ours, "POD_IP"}
        assert {name.removesuffix("_FILE") for name in names} <= _variables()


def test_processes_tell_the_tag_of_their_image_as_their_version(documents: list[Document]) -> None:
    version = named(documents, "ConfigMap")["shop"]["data"]["APPLICATION_VERSION"]
    assert {container["image"].rpartition(":")[2] for container in containers(documents)} == {
        version
    }


def _start(documents: list[Document], values: dict[str, str], folder: Path) -> tuple[int, str]:
    """Run the system checks with the environment of a pod and its secrets in ``folder``."""
    for name, value in values.items():
        (folder / name).write_text(value + "\n")
    environment = {
        name: value.replace("/run/secrets/shop", str(folder))
        for name, value in named(documents, "ConfigMap")["shop"]["data"].items()
    }
    environment["ALLOWED_HOSTS"] = f"{environment['PUBLIC_HOSTS']},10.1.2.3"
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=CHECKOUT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return result.returncode, result.stdout + result.stderr


def test_the_shop_starts_with_it_and_not_with_example_secrets(deploy: Path, tmp_path: Path) -> None:
    staging = deploy / "overlays" / "staging"
    documents = render(staging)
    example = named(documents, "Secret")["shop"]["data"]
    files = {
        name: value
        for name, value in named(documents, "ConfigMap")["shop"]["data"].items()
        if name.endswith("_FILE")
    }
    assert {Path(value).name for value in files.values()} <= set(example)
    code, output = _start(documents, example, tmp_path)
    assert code != 0
    assert "example value" in output
    real = {
        name: value.replace("change-me", secrets.token_urlsafe(48))
        for name, value in example.items()
    } | {"DATA_KEYS": "k1:" + "A" * 43 + "="}
    code, output = _start(documents, real, tmp_path)
    assert code == 0, output


def test_pods_have_the_certificate_that_the_urls_of_postgresql_ask_for(deploy: Path) -> None:
    documents = render(deploy / "overlays" / "staging")
    secret = named(documents, "Secret")
    for name, url in (("shop", "DATABASE_URL"), ("shop-owner", "DATABASE_OWNER_URL")):
        assert "sslmode=verify-full" in secret[name]["data"][url]
    path = Path(named(documents, "ConfigMap")["shop"]["data"]["PGSSLROOTCERT"])
    assert secret["shop"]["data"][path.name] == CERTIFICATE
    for document in pods(documents):
        spec = pod_spec(document)
        volumes = {one["name"]: one.get("secret") for one in spec["volumes"]}
        assert volumes["secrets"]["secretName"] == "shop"
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
            assert mounts["secrets"] == str(path.parent)


def test_no_secret_is_committed() -> None:
    folder = CHECKOUT / "deploy" / "kubernetes"
    tracked = subprocess.run(
        ["git", "ls-files", "deploy/kubernetes"], cwd=CHECKOUT, capture_output=True, text=True
    ).stdout.split()
    assert not [
        name for name in tracked if name.endswith(("/secrets.env", "/owner.env", "/POSTGRES_CA"))
    ]
    assert not [
        path for path in folder.rglob("*.yaml") for one in read(path) if one["kind"] == "Secret"
    ]
    for example in folder.rglob("*.env.example"):
        for line in example.read_text().splitlines():
            if "PASSWORD" in line or "URL" in line or "KEY" in line:
                assert "change-me" in line or line.startswith(("#", "VALKEY_ADDRESS"))
