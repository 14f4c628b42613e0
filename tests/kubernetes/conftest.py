"""Fixtures of the tests of deploy/kubernetes; without kustomize they are skipped."""

import shutil
from pathlib import Path

import pytest

from tests.kubernetes.rendering import CHECKOUT, Document, kustomize, render

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of deploy/kubernetes with the example secrets in place."""
    if not kustomize():
        pytest.skip("There is neither kubectl nor kustomize here.")
    folder = tmp_path_factory.mktemp("deploy") / "kubernetes"
    shutil.copytree(CHECKOUT / "deploy" / "kubernetes", folder)
    for example in folder.rglob("*.env.example"):
        shutil.copy(example, example.with_suffix(""))
    (folder / "overlays" / "staging" / "POSTGRES_CA").write_text(CERTIFICATE)
    return folder


@pytest.fixture(scope="module", params=("staging", "production"))
def documents(request: pytest.FixtureRequest, deploy: Path) -> list[Document]:
    """Return what an overlay applies."""
    return render(deploy / "overlays" / request.param)
