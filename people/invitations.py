"""Invitations to teams: mailed to an address, and good for the account that has proved it.

Whoever forwards the mail, or reads it on its way, gains nothing: a link without the address is
worth nothing. Nor does an invitation outlive the rights of whoever made it.
"""

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.emails import check_email
from accounts.mailing import mail_queue
from accounts.models import User
from accounts.permissions import Permission, allows
from accounts.reader import written_for
from audit.services import record
from people.folding import mask_of
from people.guard import changing_people, may_give, present
from people.models import Invitation, Team
from people.roles import TooMany
from people.teams import join, team_of
from shop.core.errors import FieldError, Forbidden, NotFound, ValidationFailed
from shop.core.site_settings.general import SITE_NAME

GOOD_FOR = timedelta(days=7)
OPEN_MAX = 200
TOKEN_MAX_LENGTH = 100


class OtherAddress(Forbidden):
    """The account has not proved the address that the invitation was mailed to."""

    code = "invitation_address"
    detail = gettext_noop(
        "The invitation is for another address. Verify that address for your account first."
    )


def invitation_create(*, actor: User, id: UUID, email: str) -> None:
    """Invite the reader of an address to a team, by mail. An earlier invitation of theirs ends.

    Nobody learns whether the address has an account. Raise ``NotFound``, ``ValidationFailed``,
    ``TooMany`` or ``Forbidden``.
    """
    email = email.strip().lower()
    try:
        check_email(email)
    except ValidationError as error:
        detail = str(error.messages[0])
        raise ValidationFailed([FieldError("invalid", detail, "email")]) from None
    token = secrets.token_urlsafe(32)
    # Rendered before the transaction, which holds everybody up who changes people.
    subject, body = _mail(actor, team_of(id), email, token)
    with changing_people():
        actor, team = present(actor), team_of(id)
        may_give(actor, mask_of(team.roles))
        Invitation.objects.filter(team=team, email=email, accepted_at=None).delete()
        if _open().filter(team=team).count() >= OPEN_MAX:
            raise TooMany()
        invitation = Invitation.objects.create(
            digest=_digest(token),
            team=team,
            email=email,
            invited_by=actor,
            expires_at=timezone.now() + GOOD_FOR,
        )
        mail_queue(
            kind="people/email/invitation",
            recipient=email,
            subject=subject,
            body=body,
            purpose="invitation",
        )
        record(
            "invitation.created",
            object=f"team:{team.pk}",
            actor_id=actor.pk,
            # Only the row has the address, as details would outlive the erasure of whose it is.
            after={"invitation": str(invitation.pk)},
        )


def invitation_withdraw(*, actor: User, id: UUID, invitation_id: str) -> None:
    """End an invitation that nobody has accepted. Raise ``NotFound`` or ``Forbidden``."""
    try:
        key = UUID(invitation_id)
    except ValueError:
        raise NotFound() from None
    with changing_people():
        actor = present(actor)
        found = Invitation.objects.filter(pk=key, team_id=id, accepted_at=None).first()
        if found is None:
            raise NotFound()
        found.delete()
        record(
            "invitation.withdrawn",
            object=f"team:{id}",
            actor_id=actor.pk,
            before={"invitation": str(key)},
        )


def invitation_find(token: str) -> Invitation:
    """Return an invitation that may still be accepted. Raise ``NotFound`` for any other."""
    found = None
    if len(token) <= TOKEN_MAX_LENGTH and token.isascii():
        invitations = _open().select_related("team", "invited_by")
        found = invitations.filter(digest=_digest(token)).first()
    if found is None or not _is_backed(found):
        raise NotFound()
    return found


def invitation_accept(*, user: User, token: str) -> Team:
    """Make the account a member of the team, once. Return the team.

    Raise ``NotFound`` for an unknown, used or old invitation, ``OtherAddress`` or ``TooMany``.
    """
    with changing_people():
        invitation = invitation_find(token)
        if not has_address(user, invitation):
            raise OtherAddress()
        Invitation.objects.filter(pk=invitation.pk).update(accepted_at=Now())
        join(invitation.team, user)
        record(
            "invitation.accepted",
            object=f"account:{user.pk}",
            actor_id=user.pk,
            after={"team": str(invitation.team.pk)},
        )
    return invitation.team


def has_address(user: User, invitation: Invitation) -> bool:
    """Return whether the account has proved the address of the invitation."""
    proved = EmailAddress.objects.filter(user=user, email=invitation.email, verified=True)
    return bool(user.is_active) and proved.exists()


def invitations_purge() -> int:
    """Delete invitations that ended a while ago. Return how many."""
    return Invitation.objects.filter(expires_at__lt=timezone.now() - GOOD_FOR).delete()[0]


def _open() -> QuerySet[Invitation]:
    return Invitation.objects.filter(accepted_at=None, expires_at__gt=Now())


def _is_backed(invitation: Invitation) -> bool:
    """Return whether whoever made the invitation may still give what the team has."""
    by = invitation.invited_by
    if not by.is_active or not allows(by.account_permissions, Permission.ACCOUNTS_ADMIN):
        return False
    try:
        may_give(by, mask_of(invitation.team.roles))
    except Forbidden:
        return False
    return True


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _mail(actor: User, team: Team, email: str, token: str) -> tuple[str, str]:
    """Return subject and body, in the language of the address's account, if it has one."""
    found = EmailAddress.objects.filter(email=email, verified=True).select_related("user").first()
    context = {
        "user": found.user if found else None,
        "by": actor.username,
        "team": team.name,
        "days": GOOD_FOR.days,
        "link": settings.SITE_URL + reverse("people_invitation", args=[token]),
        "site_name": SITE_NAME.value,
        "site_url": settings.SITE_URL,
    }
    with written_for(context["user"]):
        subject = render_to_string("people/email/invitation_subject.txt", context)
        body = render_to_string("people/email/invitation_message.txt", context)
    return " ".join(subject.split()), body.strip() + "\n"
