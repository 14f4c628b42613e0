"""The pages: a webhook is made, shown, tested, replayed, disabled and deleted without scripts."""

import re
from typing import Any

import pytest
from django.test import Client

from people.models import KeptAnswer
from tests.system import wait_for
from webhooks.models import Delivery, Endpoint
from webhooks.tests.conftest import Api, delivering
from webhooks.tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_webhook_lives_on_its_pages(
    joe: Api, ann: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    client.force_login(joe.user)
    assert "No webhooks yet" in client.get("/webhooks/").text
    refused = client.post("/webhooks/", {"url": "https://10.0.0.1/", "events": "purchase.recorded"})
    assert refused.status_code == 400
    assert 'value="https://10.0.0.1/"' in refused.text
    assert 'href="#url"' in refused.text
    made = client.post("/webhooks/", {"url": receiver.url, "events": "purchase.recorded"})
    (secret,) = set(re.findall(r"whsec_[\w+/=]+", made.text))
    assert secret not in client.get("/webhooks/").text
    hook = Endpoint.objects.get()
    path = f"/webhooks/{hook.pk}/"

    def press(action: str, **fields: Any) -> Any:
        return client.post(path, {"action": action} | fields, follow=True)

    receiver.answer = lambda got, handler: 500
    with delivering(monkeypatch):
        joe.buy()
        assert "A test is being sent" in press("test").text
        wait_for(lambda: Delivery.objects.filter(state="failed").exists())
        wait_for(lambda: Endpoint.objects.get().retry_at is not None)
        shown = client.get(path)
        assert "Failing" in shown.text
        assert "500" in shown.text
        receiver.answer = lambda got, handler: 204
        press("retry", delivery=Delivery.objects.get(kind="live").pk)
        wait_for(lambda: Endpoint.objects.get().position == 1)
        press("replay", after="0", until="")
        wait_for(lambda: Delivery.objects.filter(kind="replay", state="delivered").exists())
    assert "Active" in client.get(path + "?state=delivered").text
    assert client.get(path + "?cursor=x").status_code == 400
    rotated = press("rotate").text
    assert secret not in rotated
    assert "whsec_" in rotated
    assert "whsec_" not in client.get(path).text
    assert press("replay", after="x").status_code == 400
    assert press("nothing").status_code == 400
    assert "Disabled" in press("disable").text
    press("save", url="https://93.184.215.14/", events="purchase.recorded")
    press("enable")
    hook.refresh_from_db()
    assert (hook.state, hook.url) == ("active", "https://93.184.215.14/")
    # Who only sees a webhook has no buttons, and somebody else sees none.
    stranger = Client()
    stranger.force_login(ann.user)
    assert stranger.get(path).status_code == 404
    assert stranger.post(path, {"action": "delete"}).status_code == 404
    assert "The webhook is deleted" in press("delete").text
    assert not Endpoint.objects.exists()


def test_the_api_keeps_no_secret_and_lets_nobody_send_what_they_may_not_read(
    joe: Api, boss: Api, operator: Api, receiver: Receiver
) -> None:
    body = {"url": receiver.url, "events": ["purchase.recorded"]}
    first = joe("POST", "webhooks/", body, Idempotency_Key="one")
    again = joe("POST", "webhooks/", body, Idempotency_Key="one")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert first["Location"] == f"/api/v1/webhooks/{first.json()['id']}/"
    other = joe("POST", "webhooks/", body | {"batch": 2}, Idempotency_Key="one")
    assert other.json()["errors"][0]["code"] == "idempotency_key_reused"
    secret = first.json()["secret"]
    assert secret.startswith("whsec_")
    assert "whsec_" not in str(list(KeptAnswer.objects.values_list("body", flat=True)))
    stored = Endpoint.objects.get()
    assert secret not in stored.secret
    assert "secret" not in joe("GET", f"webhooks/{stored.pk}/").json()
    refused = [
        (body | {"scope": "all"}, 403),
        (body | {"events": ["nothing.like.it"]}, 400),
        (body | {"events": []}, 400),
        (body | {"batch": 501}, 400),
        (body | {"after": 1}, 409),
        (body | {"events": ["invoice.issued"], "scope": "all"}, 403),
    ]
    for wrong, status in refused:
        answer = joe("POST", "webhooks/", wrong)
        assert answer.status_code == status, (wrong, answer.content)
    everybodys = boss.hook(receiver.url, scope="all")
    path = f"webhooks/{everybodys['id']}/"
    # An operator runs webhooks, and may read nobody's purchases.
    assert operator("GET", path).status_code == 200
    for change in ({"url": "https://93.184.215.14/mine"}, {"state": "active"}):
        answer = operator("PATCH", path, change)
        assert (answer.status_code, answer["Accepted-Permissions"]) == (403, "purchases:read_all")
    assert operator("POST", path + "replay/", {"after": 0}).status_code == 403
    assert operator("PATCH", path, {"state": "disabled"}).json()["disabled_reason"] == "owner"
    assert joe("GET", path).status_code == 404
    for _ in range(19):
        joe.hook(receiver.url)
    answer = joe("POST", "webhooks/", body)
    assert answer.json()["errors"][0]["code"] == "webhook_limit"
    assert joe("DELETE", f"webhooks/{stored.pk}/").status_code == 204
    joe.hook(receiver.url)
