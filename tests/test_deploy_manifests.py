"""What deploy/kubernetes would apply: valid, at one with the code, and no wider than needed."""

import base64
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands
from django.urls import Resolver404, resolve

from events.routing import websocket_urlpatterns
from purchases.ingest.http import PATHS
from shop.celery import app as celery
from shop.core.metrics import registry
from shop.server.routes import BEFORE_DJANGO, EVENTS, spellings
from tests.kustomize import Document, containers, pod_spec, read, render

CHECKOUT = Path(__file__).resolve().parent.parent
OVERLAYS = ("staging", "production")
# The oldest Kubernetes with the `sleep` of preStop, and the newest whose schemas we have.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"
NUMBER = {"type": "integer", "minimum": 1}
TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": required | (optional or {}),
        "additionalProperties": False,
    }


# The parts of the custom resources that are used here, written from their documentation: a
# misspelt name is found, but these are not the operators' own schemas.
CUSTOM = {
    ("keda.sh/v1alpha1", "ScaledObject"): _object(
        {
            "scaleTargetRef": _object({"name": TEXT}),
            "minReplicaCount": NUMBER,
            "maxReplicaCount": NUMBER,
            "triggers": {
                "type": "array",
                "minItems": 1,
                "items": _object(
                    {"type": {"enum": ["redis", "prometheus", "cpu"]}, "metadata": TEXTS},
                    {
                        "authenticationRef": _object({"name": TEXT}),
                        "metricType": {"enum": ["Utilization", "AverageValue"]},
                    },
                ),
            },
        },
        {
            "pollingInterval": NUMBER,
            "cooldownPeriod": NUMBER,
            "fallback": _object({"failureThreshold": NUMBER, "replicas": NUMBER}),
            "advanced": _object(
                {"horizontalPodAutoscalerConfig": _object({"behavior": {"type": "object"}})}
            ),
        },
    ),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): _object(
        {
            "secretTargetRef": {
                "type": "array",
                "items": _object({"parameter": TEXT, "name": TEXT, "key": TEXT}),
            }
        }
    ),
    ("external-secrets.io/v1", "ExternalSecret"): _object(
        {
            "refreshInterval": TEXT,
            "secretStoreRef": _object({"kind": TEXT, "name": TEXT}),
            "target": _object({"name": TEXT}),
            "dataFrom": {
                "type": "array",
                "items": _object({"extract": _object({"key": TEXT})}),
            },
        }
    ),
}


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of deploy/kubernetes with the example secrets put in place, as an owner does."""
    folder = tmp_path_factory.mktemp("deploy") / "kubernetes"
    shutil.copytree(CHECKOUT / "deploy" / "kubernetes", folder)
    for example in folder.rglob("*.env.example"):
        shutil.copy(example, example.with_suffix(""))
    (folder / "overlays" / "staging" / "POSTGRES_CA").write_text(CERTIFICATE)
    return folder


@pytest.fixture(scope="module", params=OVERLAYS)
def documents(request: pytest.FixtureRequest, deploy: Path) -> list[Document]:
    """What an overlay applies."""
    return render(deploy / "overlays" / request.param)


def named(documents: list[Document], kind: str) -> dict[str, Document]:
    return {one["metadata"]["name"]: one for one in documents if one["kind"] == kind}


def pods(documents: list[Document]) -> list[Document]:
    return [one for one in documents if pod_spec(one)]


def labels(document: Document) -> dict[str, str]:
    found: dict[str, str] = document["spec"]["template"]["metadata"]["labels"]
    return found


def matches(selector: Document, candidate: dict[str, str]) -> bool:
    if set(selector) - {"matchLabels", "matchExpressions"}:
        raise AssertionError(selector)
    return all(
        candidate.get(name) == value for name, value in selector.get("matchLabels", {}).items()
    ) and all(
        one["operator"] == "In" and candidate.get(one["key"]) in one["values"]
        for one in selector.get("matchExpressions", [])
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_fits_the_schemas_of_kubernetes(
    documents: list[Document], version: str
) -> None:
    assert len(documents) > 20
    for document in documents:
        if (document["apiVersion"], document["kind"]) not in CUSTOM:
            kubernetes_validate.validate(document, version, strict=True)


def test_the_schemas_refuse_a_misspelt_name(documents: list[Document]) -> None:
    web = named(documents, "Deployment")["web"]
    wrong = web | {"spec": web["spec"] | {"replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_custom_resources_have_the_shape_we_know(documents: list[Document]) -> None:
    for document in documents:
        shape = CUSTOM.get((document["apiVersion"], document["kind"]))
        if shape:
            jsonschema.validate(document["spec"], shape)
            assert set(document) == {"apiVersion", "kind", "metadata", "spec"}


def test_names_come_once(documents: list[Document]) -> None:
    keys = [(one["kind"], one["metadata"]["name"]) for one in documents]
    assert len(keys) == len(set(keys))


def _comparable(documents: list[Document]) -> list[Document]:
    """Generated names without their hash, secrets readable, in one order."""
    text = re.sub(r"\b(shop(?:-owner)?)-[0-9a-z]{10}\b", r"\1", yaml.safe_dump(documents))
    loaded: list[Document] = yaml.safe_load(text)
    for document in loaded:
        if document["kind"] == "Secret":
            document.pop("type", None)
            document["data"] = {
                name: base64.b64decode(value).decode() for name, value in document["data"].items()
            }
    return sorted(loaded, key=lambda one: (one["kind"], one["metadata"]["name"]))


def _kustomize() -> list[str]:
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]):
            return command
    return []


@pytest.mark.skipif(
    not _kustomize(),
    reason="no kustomize and no kubectl here: only the suite's own renderer has been used",
)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_renders_the_same(deploy: Path, overlay: str) -> None:
    folder = deploy / "overlays" / overlay
    text = subprocess.run(
        [*_kustomize(), str(folder)], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    theirs = [document for document in yaml.safe_load_all(text) if document]
    ours = render(folder)
    for document in ours:
        if document["kind"] == "Secret":
            document["data"] = {
                name: base64.b64encode(value.encode()).decode()
                for name, value in document["data"].items()
            }
    assert _comparable(ours) == _comparable(theirs)


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


def test_what_pods_refer_to_exists(documents: list[Document]) -> None:
    made = {
        "ConfigMap": named(documents, "ConfigMap"),
        "Secret": named(documents, "Secret") | named(documents, "ExternalSecret"),
        "Claim": named(documents, "PersistentVolumeClaim"),
    }
    for document in pods(documents):
        spec = pod_spec(document)
        assert spec["serviceAccountName"] in named(documents, "ServiceAccount")
        for volume in spec["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["secretName"] in made["Secret"]
            elif "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in made["Claim"]
            else:
                assert "emptyDir" in volume
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert {source["configMapRef"]["name"] for source in container["envFrom"]} == {"shop"}
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= {volume["name"] for volume in spec["volumes"]}
    assert "shop" in made["ConfigMap"]


def test_only_the_job_has_the_owner_of_the_tables(documents: list[Document]) -> None:
    for document in pods(documents):
        text = yaml.safe_dump(document)
        assert ("shop-owner" in text) is (document["kind"] == "Job")
        assert ("DATABASE_ROLE" in text) is (document["kind"] == "Job")


def test_every_deployment_waits_for_the_migrations(documents: list[Document]) -> None:
    for deployment in named(documents, "Deployment").values():
        (first,) = pod_spec(deployment)["initContainers"]
        assert first["command"] == ["python", "manage.py", "migrate", "--check"]
    (job,) = named(documents, "Job").values()
    assert "initContainers" not in pod_spec(job)


DRAIN = "--timeout-graceful-shutdown"


def _without_drain(command: list[str]) -> list[str]:
    """Leave out how long open requests have, which the end of `make run` does not wait for."""
    if DRAIN not in command:
        return command
    at = command.index(DRAIN)
    return command[:at] + command[at + 2 :]


def test_each_process_of_the_procfile_is_deployed_as_it_is_there(
    documents: list[Document],
) -> None:
    procfile = dict(
        line.split(": ", 1) for line in (CHECKOUT / "Procfile").read_text().splitlines()
    )
    commands = {
        name: pod_spec(one)["containers"][0]["command"]
        for name, one in named(documents, "Deployment").items()
    }
    assert set(commands) == {"web", "live", "relay", "worker", "beat"}
    values = {"$PORT": "8000", "$DATA_DIR": "/tmp", "127.0.0.1": "0.0.0.0"}
    roles = (("web", "web"), ("web", "live"))
    for name, role in (*roles, ("relay", "relay"), ("worker", "worker"), ("beat", "beat")):
        line = procfile[name]
        for old, new in values.items():
            line = line.replace(old, new)
        assert _without_drain(shlex.split(line)) == _without_drain(commands[role])
    for command in [*commands.values(), ["python", "manage.py", "prepare_database"]]:
        if command[1] == "manage.py":
            assert command[2] in get_commands()


def test_one_beat_two_of_the_rest(documents: list[Document]) -> None:
    deployments = named(documents, "Deployment")
    assert deployments["beat"]["spec"]["replicas"] == 1
    assert deployments["beat"]["spec"]["strategy"] == {"type": "Recreate"}
    assert deployments["relay"]["spec"]["replicas"] == 2
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for one in named(documents, kind).values()
    }
    for name, one in deployments.items():
        # Two that set the number of pods would fight.
        assert ("replicas" in one["spec"]) is (name not in scaled)
        if name in scaled:
            fewest = scaled[name].get("minReplicas") or scaled[name]["minReplicaCount"]
            assert fewest >= 2
        if name != "beat":
            assert one["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_probes_ask_for_routes_that_exist_and_pods_drain(documents: list[Document]) -> None:
    for name in ("web", "live"):
        spec = pod_spec(named(documents, "Deployment")[name])
        (container,) = spec["containers"]
        for probe, path in (
            ("startup", "/livez"),
            ("liveness", "/livez"),
            ("readiness", "/readyz"),
        ):
            asked = container[f"{probe}Probe"]["httpGet"]
            assert asked == {"path": path, "port": "http"}
            assert resolve(path)
        assert container["ports"] == [{"name": "http", "containerPort": 8000}]
        before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        drain = int(container["command"][container["command"].index(DRAIN) + 1])
        # What nginx/ gives exports and bulk requests; then 6 s for the ingest and the hub.
        assert drain >= 300
        assert spec["terminationGracePeriodSeconds"] >= before + drain + 20
    worker = pod_spec(named(documents, "Deployment")["worker"])
    assert worker["terminationGracePeriodSeconds"] > settings.CELERY_TASK_TIME_LIMIT


def test_services_budgets_and_policies_select_what_they_mean(documents: list[Document]) -> None:
    deployed = {name: labels(one) for name, one in named(documents, "Deployment").items()}
    for name, one in named(documents, "Deployment").items():
        assert matches(one["spec"]["selector"], labels(one))
        for spread in pod_spec(one).get("topologySpreadConstraints", []):
            assert matches(spread["labelSelector"], labels(one))
        assert ("topologySpreadConstraints" in pod_spec(one)) is (name != "beat")
    for kind in ("Service", "PodDisruptionBudget"):
        for name, one in named(documents, kind).items():
            if name != "closed":
                selector = one["spec"]["selector"]
                selector = selector if kind != "Service" else {"matchLabels": selector}
                assert [key for key, value in deployed.items() if matches(selector, value)] == [
                    name
                ]
    assert set(named(documents, "PodDisruptionBudget")) == {"web", "live", "relay", "worker"}
    policies = named(documents, "NetworkPolicy")
    assert policies["default-deny"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    everything = {**deployed, "prepare": labels(named(documents, "Job")["prepare-database"])}
    reach = {
        name: {
            key for key, value in everything.items() if matches(one["spec"]["podSelector"], value)
        }
        for name, one in policies.items()
    }
    assert reach["databases"] == set(everything)
    assert reach["http"] == {"web", "live"}
    assert reach["mail"] == {"worker"}
    solver = {"acme.cert-manager.io/http01-solver": "true"}
    (certificate,) = (
        one["spec"]
        for one in policies.values()
        if one["spec"]["podSelector"] and matches(one["spec"]["podSelector"], solver)
    )
    assert certificate["ingress"][0]["ports"] == [{"port": 8089, "protocol": "TCP"}]
    assert certificate["ingress"][0]["from"] == policies["http"]["spec"]["ingress"][0]["from"][:1]


def test_the_ingress_sends_each_path_to_its_role_and_closes_the_inner_ones(
    documents: list[Document],
) -> None:
    (ingress,) = named(documents, "Ingress").values()
    assert "cert-manager.io/cluster-issuer" in ingress["metadata"]["annotations"]
    (rule,) = ingress["spec"]["rules"]
    routes = {
        one["path"]: (one["pathType"], one["backend"]["service"]["name"])
        for one in rule["http"]["paths"]
    }
    services = named(documents, "Service")
    assert {service for _, service in routes.values()} <= set(services)
    assert "selector" not in services["closed"]["spec"]
    assert routes["/"] == ("Prefix", "web")
    for path in spellings([*PATHS, EVENTS]):
        assert routes[path] == ("Exact", "live")
    for pattern in websocket_urlpatterns:
        assert str(pattern.pattern).startswith("ws/")
    assert routes["/ws"] == ("Prefix", "live")
    for path in ("/metrics", "/readyz"):
        assert routes[path] == ("Exact", "closed")
    for path in set(routes) - {"/", "/ws"}:
        try:
            resolve(BEFORE_DJANGO.get(path, path))
        except Resolver404:  # pragma: no cover
            pytest.fail(f"{path} is no route of the shop")
    configured = named(documents, "ConfigMap")["shop"]["data"]
    assert rule["host"] == configured["PUBLIC_HOSTS"] == ingress["spec"]["tls"][0]["hosts"][0]
    assert configured["SITE_URL"] == f"https://{rule['host']}"


def test_scaling_asks_for_what_the_code_offers(deploy: Path) -> None:
    documents = render(deploy / "overlays" / "production")
    scaled = named(documents, "ScaledObject")
    (queue,) = scaled["worker"]["spec"]["triggers"]
    assert queue["metadata"]["listName"] == celery.conf.task_default_queue
    assert queue["authenticationRef"]["name"] in named(documents, "TriggerAuthentication")
    sockets = scaled["live"]["spec"]["triggers"][0]["metadata"]["query"]
    (metric,) = re.findall(r"shop_\w+", sockets)
    assert metric in {family.name for family in registry.collect()}


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
    }
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
