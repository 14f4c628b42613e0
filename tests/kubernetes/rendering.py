"""What ``kubectl kustomize`` makes of deploy/kubernetes, and how tests look things up in it."""

import base64
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def kustomize() -> list[str]:
    """Return the command that renders a folder; empty if this machine has none."""
    for command in (["kubectl", "kustomize"], ["kustomize", "build"]):
        if shutil.which(command[0]):
            return command
    return []


def render(folder: Path) -> list[Document]:
    """Return what an overlay applies, generated names without their hash, secrets decoded."""
    text = subprocess.run(
        [*kustomize(), str(folder)], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    text = re.sub(r"\b(shop(?:-owner)?)-[0-9a-z]{10}\b", r"\1", text)
    documents = [document for document in yaml.safe_load_all(text) if document]
    for document in documents:
        if document["kind"] == "Secret":
            document["data"] = {
                name: base64.b64decode(value).decode() for name, value in document["data"].items()
            }
    return documents


def read(path: Path) -> list[Document]:
    """Return the documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document]


def containers(documents: list[Document]) -> list[Document]:
    """Return every container of every pod, init containers included."""
    pods = [pod_spec(document) for document in documents]
    return [
        container
        for pod in pods
        for container in [*pod.get("initContainers", []), *pod.get("containers", [])]
    ]


def pod_spec(document: Document) -> Document:
    """Return the specification of the pods that the document makes; empty if it makes none."""
    if document["kind"] not in ("Deployment", "Job"):
        return {}
    spec: Document = document["spec"]["template"]["spec"]
    return spec


def named(documents: list[Document], kind: str) -> dict[str, Document]:
    """Return the documents of a kind by their names."""
    return {one["metadata"]["name"]: one for one in documents if one["kind"] == kind}


def pods(documents: list[Document]) -> list[Document]:
    """Return the documents that make pods."""
    return [one for one in documents if pod_spec(one)]
