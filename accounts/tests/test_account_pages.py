"""The pages about passwords and addresses."""

import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings as configured
from django.core.mail import EmailMessage
from django.test import Client

from accounts.models import OutgoingMail, User
from accounts.tests.conftest import SentMail
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
