"""Renders the kustomizations in deploy/kubernetes, as far as they use kustomize.

The suite has to read what would be applied where there is no `kubectl` too. What is not written
here is refused rather than ignored, and where `kubectl` or `kustomize` is found, a test compares
the two.
"""

import copy
import re
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]

KEYS = {
    "apiVersion", "kind", "namespace", "resources", "components", "images", "configMapGenerator",
    "secretGenerator", "patches",
}  # fmt: skip
# Lists that a strategic merge joins, by the key that identifies an element.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
}


class Unsupported(Exception):
    """A kustomization uses what this renderer does not know."""


def render(folder: Path) -> list[Document]:
    """Return what ``kubectl kustomize folder`` prints, generated names without their hash."""
    return _accumulate(folder, [])


def read(path: Path) -> list[Document]:
    """Return the documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document]


def _accumulate(folder: Path, documents: list[Document]) -> list[Document]:
    (spec,) = read(folder / "kustomization.yaml")
    if unknown := set(spec) - KEYS:
        raise Unsupported(f"{folder.name}: {', '.join(sorted(unknown))}")
    for name in spec.get("resources", []):
        path = folder / name
        documents = documents + (render(path) if path.is_dir() else read(path))
    for name in spec.get("components", []):
        documents = _accumulate(folder / name, documents)
    for kind, key in (("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")):
        for generator in spec.get(key, []):
            documents = _generate(kind, generator, folder, documents)
    for patch in spec.get("patches", []):
        documents = [_patch(document, patch, folder) for document in documents]
    if namespace := spec.get("namespace"):
        for document in documents:
            if document["kind"] != "Namespace":
                document["metadata"]["namespace"] = namespace
    for image in spec.get("images", []):
        for container in containers(documents):
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"
    return documents


def containers(documents: list[Document]) -> list[Document]:
    """Return every container of every pod, those of its start included."""
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


def _generate(
    kind: str, generator: Document, folder: Path, documents: list[Document]
) -> list[Document]:
    if unknown := set(generator) - {"name", "envs", "files", "literals", "behavior"}:
        raise Unsupported(f"generator: {', '.join(sorted(unknown))}")
    lines = [line for name in generator.get("envs", []) for line in _lines(folder / name)]
    data = dict(line.split("=", 1) for line in [*lines, *generator.get("literals", [])])
    data |= {name: (folder / name).read_text("utf-8") for name in generator.get("files", [])}
    if generator.get("behavior") == "merge":
        (target,) = (
            one
            for one in documents
            if (one["kind"], one["metadata"]["name"]) == (kind, generator["name"])
        )
        target["data"] |= data
        return documents
    made = {"apiVersion": "v1", "kind": kind, "metadata": {"name": generator["name"]}, "data": data}
    return [*documents, made]


def _lines(path: Path) -> list[str]:
    lines = path.read_text("utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _patch(document: Document, patch: Document, folder: Path) -> Document:
    target = patch["target"]
    if not re.fullmatch(target["kind"], document["kind"]) or not re.fullmatch(
        target.get("name", ".*"), document["metadata"]["name"]
    ):
        return document
    if "path" in patch:
        (change,) = read(folder / patch["path"])
        return dict(document) | {"spec": _merge(document["spec"], change["spec"])}
    document = copy.deepcopy(document)
    for operation in yaml.safe_load(patch["patch"]):
        _operate(document, operation)
    return document


def _merge(base: Any, change: Any, key: str = "") -> Any:
    """Merge strategically: mappings by key, known lists by the element's key, others replaced."""
    if isinstance(base, dict) and isinstance(change, dict):
        return base | {
            name: _merge(base[name], value, name) if name in base else value
            for name, value in change.items()
        }
    if isinstance(base, list) and isinstance(change, list) and key in MERGE_KEYS:
        identity = MERGE_KEYS[key]
        old = {element[identity]: element for element in base}
        merged = [_merge(old.pop(one[identity], {}), one) for one in change]
        return [*merged, *old.values()]
    return copy.deepcopy(change)


def _operate(document: Any, operation: Document) -> None:
    *parents, last = operation["path"].lstrip("/").split("/")
    for part in parents:
        document = document[int(part) if isinstance(document, list) else part]
    place = int(last) if isinstance(document, list) else last
    action = operation["op"]
    if action == "remove":
        # As the standard has it, what is not there cannot be removed.
        del document[place]
    elif action == "replace" or (action == "add" and isinstance(document, dict)):
        document[place] = operation["value"]
    else:
        raise Unsupported(f"patch: {action}")
