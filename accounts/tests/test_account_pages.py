"""The pages about passwords and addresses."""

import re
import stat
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.conf import settings as configured
from django.core.mail import EmailMessage
from django.test import Client

from accounts.models import OutgoingMail, User
from accounts.tests.conftest import PASSWORD, SentMail
from shop.core.mail import FileBackend

pytestmark = pytest.mark.django_db

NEW = {"password1": "another-lamp-43", "password2": "another-lamp-43"}


def text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def test_the_account_pages_lead_to_each_other(alice: User) -> None:
    client = Client()
    client.force_login(alice)
    for path in ("/accounts/email/", "/accounts/password/change/"):
        page = text(client.get(path))
        assert 'href="/accounts/password/change/"' in page
        assert 'href="/accounts/email/"' in page


def test_other_sign_ins_are_a_tab_only_where_there_can_be_one(alice: User, settings: Any) -> None:
    settings.IDENTITY_PROVIDERS = ()
    client = Client()
    client.force_login(alice)
    tab = 'href="/accounts/3rdparty/"'
    assert tab not in text(client.get("/accounts/email/"))
    assert tab in text(client.get("/accounts/3rdparty/"))
    SocialAccount.objects.create(user=alice, provider="given-up", uid="1")
    assert tab in text(client.get("/accounts/email/"))


@pytest.mark.parametrize("path", ["/accounts/signup/", "/accounts/password/change/"])
def test_no_rule_of_passwords_is_empty(alice: User, path: str) -> None:
    client = Client()
    if "change" in path:
        client.force_login(alice)
    page = text(client.get(path))
    assert "At least 8 characters" in page
    assert not re.search(r"<li>\s*</li>", page)


def test_a_reset_has_no_dead_end(alice: User, sent_mail: SentMail) -> None:
    done = text(Client().post("/accounts/password/reset/", {"email": alice.email}, follow=True))
    assert 'href="/accounts/login/"' in done
    assert 'href="mailto:' in done
    assert "mailto:" in text(Client().get("/accounts/password/reset/"))
    [mail] = sent_mail()
    link = re.search(r"http://\S+?(/accounts/password/reset/key/\S+)", str(mail.body))
    assert link is not None
    client = Client()
    form = client.get(link[1])["Location"]
    assert 'name="password1"' in text(client.get(form))
    changed = text(client.post(form, NEW, follow=True))
    assert 'href="/accounts/login/"' in changed
    used = text(Client().get(link[1]))
    assert "no longer good" in used
    assert "Bad Token" not in used
    assert 'href="/accounts/password/reset/"' in used
    # The target of "Cancel".
    answer = client.post("/accounts/logout/", {"next": "/accounts/login/"})
    assert answer.status_code == 302


def test_who_is_not_verified_can_have_the_link_again_on_the_page_of_reports(alice: User) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True)
    client = Client()
    client.force_login(alice)
    assert "Send the link again" in text(client.get("/reports/"))
    form = {"action_send": "", "email": alice.email}
    assert client.post("/accounts/email/", form).status_code == 302
    assert OutgoingMail.objects.get().recipient == alice.email
    EmailAddress.objects.update(verified=True)
    assert "Send the link again" not in text(client.get("/reports/"))


def test_what_was_typed_is_there_again_after_a_session_ended(alice: User) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True, verified=True)
    typed = {"kind": "statement", "since": "2024-05-03", "until": "2024-05-09"}
    client = Client()
    sent = client.post("/reports/", typed | {"idempotency_key": "k", "password": "hush"})
    assert sent.status_code == 403
    link = re.search(r'href="(/accounts/login/[^"]+)"', sent.content.decode())
    assert link is not None
    assert "hush" not in link[1]
    sign_in = unescape(link[1])
    target = parse_qs(urlsplit(sign_in).query)["next"][0]
    form = {"login": "alice", "password": PASSWORD, "next": target}
    page = text(client.post(sign_in, form, follow=True))
    assert 'value="2024-05-03"' in page
    assert 'value="2024-05-09"' in page


@pytest.mark.parametrize(
    ("sender", "back"),
    [
        ("http://testserver/customers/100/?a=b", "/customers/100/?a=b"),
        ("http://evil.example/customers/", "/"),
        ("", "/"),
    ],
)
def test_an_address_that_only_takes_forms_leads_back_to_its_page(sender: str, back: str) -> None:
    answer = Client().post("/reports/customers/100/", {"since": "x"}, headers={"referer": sender})
    assert answer.status_code == 403
    assert f'href="/accounts/login/?next={quote(back)}"' in answer.content.decode()


def test_the_pages_of_an_account_say_who_it_is(alice: User) -> None:
    alice.give_roles(["finance"])
    alice.save()
    client = Client()
    client.force_login(alice)
    page = text(client.get("/accounts/"))
    for part in ("alice", "100", "finance", 'href="/accounts/preferences/"'):
        assert part in page


def test_one_click_signs_in_only_where_the_shop_is_developed(settings: Any, client: Client) -> None:
    settings.DEVELOPMENT = True
    page = text(client.get("/"))
    assert page.count('value="demo-') == 3
    assert 'action="/accounts/login/"' in page
    settings.DEVELOPMENT = False
    assert "demo-" not in text(client.get("/"))


def test_an_error_is_told_at_its_field_and_above_the_form_and_no_password_is_shown_again() -> None:
    form = {"username": "bob", "email": "no", "password1": "orchid-lamp-42", "password2": "other"}
    page = text(Client().post("/accounts/signup/", form))
    assert 'href="#id_email"' in page
    assert re.search(r'id="id_email"[^>]*aria-invalid="true"', page)
    assert 'value="bob"' in page
    assert "orchid-lamp-42" not in page
    assert "placeholder" not in page


def test_who_has_just_signed_up_is_asked_for_nothing_more() -> None:
    client = Client()
    form = {"username": "bob", "email": "bob@example.com"}
    form |= dict.fromkeys(("password1", "password2"), "orchid-lamp-42")
    assert client.post("/accounts/signup/", form).status_code == 302
    key = {"name": "till", "permissions": ["purchases:read"]}
    made = client.post("/api/v1/keys/", key, content_type="application/json")
    assert made.status_code == 201, made.content


def test_other_users_of_the_machine_read_no_mail(settings: Any, tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir(mode=0o755)
    settings.EMAIL_FILE_PATH = folder
    FileBackend().send_messages([EmailMessage("a", "b", "c@example.com", ["d@example.com"])])
    [file] = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"ENVIRONMENT": "development", "PORT": "8001"}, "sessionid_8001 csrftoken_8001"),
        ({"ENVIRONMENT": "development"}, "sessionid csrftoken"),
    ],
)
def test_copies_on_other_ports_have_cookies_of_their_own(
    given: dict[str, str], expected: str
) -> None:
    code = "import shop.settings as s; print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(configured.BASE_DIR),
        env=given,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == expected, done.stderr
