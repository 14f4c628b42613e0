"""Each process of the site is deployed, reached, scaled and stopped as it needs."""

import re
import shlex
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands
from django.urls import Resolver404, resolve

from events.routes import EVENTS
from purchases.ingest.http import PATHS
from shop.celery import app as celery
from shop.core.metrics import registry
from shop.core.paths import spellings
from shop.routes import BEFORE_DJANGO, websocket_urlpatterns
from tests.kubernetes.rendering import CHECKOUT, Document, named, pod_spec, render


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


def test_every_deployment_waits_for_the_migrations(documents: list[Document]) -> None:
    for deployment in named(documents, "Deployment").values():
        (first,) = pod_spec(deployment)["initContainers"]
        assert first["command"] == ["python", "manage.py", "migrate", "--check"]
    (job,) = named(documents, "Job").values()
    assert "initContainers" not in pod_spec(job)


DRAIN = "--timeout-graceful-shutdown"


def _without_drain(command: list[str]) -> list[str]:
    """Leave out the time for open requests, which ``make run`` does not have."""
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
    assert set(commands) == {"web", "live", "relay", "follower", "worker", "beat"}
    values = {"$PORT": "8000", "$DATA_DIR": "/tmp", "127.0.0.1": "0.0.0.0"}
    roles = [("web", "live"), *((name, name) for name in procfile)]
    for name, role in roles:
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
        # Two controllers that set the number of pods would fight.
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
        # nginx gives exports and bulk requests this long. Then ingest and hub have 6 s.
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
    assert set(named(documents, "PodDisruptionBudget")) == set(deployed) - {"beat"}
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
    assert reach["names"] == set(everything)
    assert "outside" not in policies
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


def test_the_way_out_is_for_three_roles_and_to_no_private_address() -> None:
    folder = CHECKOUT / "deploy" / "kubernetes" / "components" / "outside"
    spec = yaml.safe_load((folder / "network-policy.yaml").read_text())["spec"]
    (roles,) = spec["podSelector"]["matchExpressions"]
    assert roles["values"] == ["web", "worker", "follower"]
    (egress,) = spec["egress"]
    assert egress["ports"] == [{"port": 443, "protocol": "TCP"}]
    blocks = [one["ipBlock"] for one in egress["to"]]
    refused = [ip_network(one) for block in blocks for one in block["except"]]
    for address in ("10.1.2.3", "172.31.0.1", "192.168.0.1", "169.254.169.254", "fd00::1"):
        assert any(ip_address(address) in network for network in refused), address
