"""Which providers an account is linked to, and how a link ends."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.signals import social_account_added
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.ways_in import WayIn, ways_in
from audit.services import record


@dataclass(frozen=True, slots=True)
class Link:
    """A link as its page shows it; ``works`` is false if the shop no longer has the provider."""

    id: int
    label: str
    since: datetime
    used_at: datetime
    works: bool


def label_of(provider: str) -> str:
    """Return the name of a provider for people."""
    labels = {each.id: each.label for each in settings.IDENTITY_PROVIDERS}
    return labels.get(provider, provider)


def links_of(user: User) -> list[Link]:
    """Return the account's links, the oldest first."""
    works = {each.id for each in settings.IDENTITY_PROVIDERS}
    return [
        Link(row.pk, label_of(row.provider), row.date_joined, row.last_login, row.provider in works)
        for row in SocialAccount.objects.filter(user=user).order_by("pk")
    ]


@transaction.atomic
def link_end(request: HttpRequest, user: User, id: str) -> None:
    """End a link of the account, and mail about it, unless it is the last way in.

    The result is told by a message of the page. An unknown id changes nothing.
    """
    pk = int(id) if id.isascii() and id.isdecimal() and len(id) < 19 else 0
    left = ways_in(user, without=(WayIn.PROVIDER, pk))
    row = SocialAccount.objects.filter(user=user, pk=pk).first()
    if row is None:
        return
    if not left:
        messages.error(
            request, _("This is the only way into your account. Set a password first, then end it.")
        )
        return
    row.delete()
    link_record("provider.unlinked", user, row.provider)
    label = label_of(row.provider)
    messages.success(request, _("%s no longer signs you in.") % label)
    get_adapter(request).send_notification_mail(
        "account/email/provider_unlinked", user, {"user": user, "provider": label}
    )


def link_record(action: str, user: User, provider: str) -> None:
    """Tell the audit of a link; which person it is at the provider stays out of it."""
    record(action, object=f"account:{user.pk}", actor_id=user.pk, after={"provider": provider})


@receiver(social_account_added)
def _linked(sociallogin: SocialLogin, **_: Any) -> None:
    link_record("provider.linked", sociallogin.user, sociallogin.account.provider)
