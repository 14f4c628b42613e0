"""The last way into an account, when two are removed at once."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts.models import User
from accounts.ways_in import ways_in
from people.tests.test_at_once import AT_ONCE, at_once
from personal.tests.conftest import recent


@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_remove_two_ways_in_one_way_stays() -> None:
    """A passkey and the verified address; an address that nobody has proved lets nobody in."""
    user = User.objects.create_user("ann", "ann@example.com")
    address = EmailAddress.objects.create(user=user, email="ann@example.com", verified=True)
    EmailAddress.objects.create(user=user, email="new@example.com", primary=True)
    key = Authenticator.objects.create(user=user, type="webauthn", data={"name": "", "id": "1"})
    cookies = recent(user).cookies
    asked = [
        ("/accounts/email/", {"action_remove": "", "email": address.email}),
        (f"/accounts/2fa/passkeys/{key.pk}/remove/", {}),
    ] * (AT_ONCE // 2)

    def remove(path: str, form: dict[str, str]) -> int:
        client = Client()
        client.cookies = cookies
        return client.post(path, form).status_code

    found = at_once([lambda each=each: remove(*each) for each in asked])  # type: ignore[misc]
    # Changes of addresses have a limit, too.
    assert found.keys() <= {200, 302, 404, 429}, found
    assert len(ways_in(user, lock=False)) == 1
