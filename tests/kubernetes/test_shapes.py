"""Every document of deploy/kubernetes is valid, and refers to what exists."""

from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from tests.kubernetes.rendering import Document, named, pod_spec, pods

# The oldest Kubernetes with `sleep` in preStop, and the newest whose schemas we have.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
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


# The parts of the custom resources that are used here, written from their documentation. They find
# misspelt names, but are not the operators' own schemas.
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
