"""The access to accounts, and to the sign-in of the admin."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.db import transaction

from accounts.models import OutgoingMail, Token, TokenKind, User
from audit.models import Entry
from audit.sealing import seal_waiting
from audit.services import record
from tests.access import (
    ADMIN_MODEL,
    ADMIN_READ_ONLY,
    ELSEWHERE,
    NO_METHOD,
    OPEN,
    OPEN_NO_METHOD,
    PASSWORD,
    PUBLIC,
    READ_ONLY,
    SECRET,
    SIGNED_OUT,
    Access,
    admin,
    api,
    in_admin,
    page,
)

READS_AUDIT = api(403, auditor=200, admin=200)
AUDIT_PAGE = page(403, auditor=200, admin=200)
ADMIN_DOOR = page(403, admin=302)
# A change asks for a recent sign-in first.
ADMIN_RECENT = ADMIN_MODEL | {
    suffix: {**ADMIN_MODEL[suffix], "POST": admin(302)}
    for suffix in ("", "add/", "<path:object_id>/change/")
}
FOR_GUESTS_ROW = {**dict.fromkeys(SIGNED_OUT, 200), "default": 302}
FOR_GUESTS = {"GET": FOR_GUESTS_ROW, "POST": FOR_GUESTS_ROW}


def _objects(owner: User) -> dict[str, Any]:
    with transaction.atomic():
        record("account.changed", object=f"account:{owner.pk}", actor_id=owner.pk)
    seal_waiting()
    key, _ = Token.objects.create(owner, kind=TokenKind.KEY, name=SECRET, prefix="shk_owners")
    return {
        "api/v1/sessions/": Token.objects.get(user=owner, kind=TokenKind.SIGN_IN).id,
        "admin/auth/group/": Group.objects.create(name="a group").pk,
        "admin/account/emailaddress/": EmailAddress.objects.get(user=owner).pk,
        "admin/accounts/token/": Token.objects.get(user=owner, kind=TokenKind.SIGN_IN).digest,
        "admin/accounts/user/": owner.pk,
        "accounts/2fa/passkeys/": 1,
        "audit/": Entry.objects.order_by("-seq").values_list("seq", flat=True)[0],
        "api/v1/keys/": key.id,
        "accounts/keys/": key.id,
        "admin/mfa/authenticator/": Authenticator.objects.create(
            user=User.objects.create_user("with-codes"),
            type="recovery_codes",
            data={"digests": []},
        ).pk,
        "accounts/oidc/": "nobody",
        "admin/accounts/outgoingmail/": OutgoingMail.objects.create(
            recipient="a@example.com", status=OutgoingMail.Status.SENT
        ).pk,
    }


ACCESS = Access(
    objects=_objects,
    api={
        "api/v1/accounts/me/": {"GET": api(), "POST": NO_METHOD},
        # Everybody sends the owner's password.
        "api/v1/auth/token/": {
            "GET": OPEN_NO_METHOD,
            "POST": {"default": 200, "deactivated": 401},
        },
        "api/v1/accounts/me/audit/": {"GET": api(), "POST": NO_METHOD},
        "api/v1/audit/": {"GET": READS_AUDIT, "POST": NO_METHOD},
        "api/v1/audit/export.csv": {"GET": READS_AUDIT, "POST": NO_METHOD},
        "api/v1/audit/export.jsonl": {"GET": READS_AUDIT, "POST": NO_METHOD},
        "api/v1/audit/verify/": {"GET": READS_AUDIT, "POST": NO_METHOD},
        "api/v1/audit/checkpoint/": {"GET": READS_AUDIT, "POST": NO_METHOD},
        "api/v1/auth/logout/": {"GET": NO_METHOD, "POST": api(204)},
        # Everybody sends the owner's password, and whoever has a token is signed in by that.
        "api/v1/auth/jwt/": {
            "GET": api(405, anonymous=405),
            "POST": {"default": 200, "revoked": 401, "deactivated": 401},
        },
        "api/v1/auth/jwt/refresh/": {"GET": OPEN_NO_METHOD, "POST": {"default": 401}},
        "api/v1/auth/jwt/revoke/": {"GET": OPEN_NO_METHOD, "POST": {"default": 204}},
        # Only browser sessions manage keys, and all these come with a token.
        "api/v1/keys/": {"GET": api(403), "POST": api(403)},
        "api/v1/keys/<str:id>/": {
            "GET": api(403),
            "POST": NO_METHOD,
            "PATCH": api(403),
            "DELETE": api(403),
        },
        "api/v1/keys/<str:id>/rotate/": {"GET": NO_METHOD, "POST": api(403)},
        "api/v1/captcha/": {"GET": {"default": 400}, "POST": OPEN_NO_METHOD},
        "api/v1/sessions/": {"GET": api(), "POST": NO_METHOD},
        "api/v1/sessions/end/": {"GET": NO_METHOD, "POST": api()},
        "api/v1/sessions/<uuid:id>/": {
            "GET": NO_METHOD,
            "POST": NO_METHOD,
            "DELETE": api(404, owner=204),
        },
        "api/v1/live-ticket/": {"GET": NO_METHOD, "POST": api()},
    },
    pages={
        ".well-known/jwks.json": READ_ONLY,
        "accounts/keys/": {"GET": page(), "POST": ELSEWHERE},
        "accounts/keys/<uuid:id>/": {"GET": page(404, owner=200), "POST": page(404, owner=400)},
        "accounts/keys/<uuid:id>/rotate/": {"GET": OPEN_NO_METHOD, "POST": ELSEWHERE},
        "accounts/keys/<uuid:id>/end/": {"GET": OPEN_NO_METHOD, "POST": page(404, owner=302)},
        "accounts/preferences/": {"GET": OPEN, "POST": ELSEWHERE},
        "accounts/sessions/": {"GET": page(), "POST": ELSEWHERE},
        "accounts/": {"GET": page(), "POST": OPEN_NO_METHOD},
        "audit/": {"GET": AUDIT_PAGE, "POST": OPEN_NO_METHOD},
        "audit/<int:seq>/": {"GET": AUDIT_PAGE, "POST": OPEN_NO_METHOD},
        "accounts/security/": {"GET": page(), "POST": OPEN_NO_METHOD},
        "accounts/login/": FOR_GUESTS,
        "accounts/logout/": {"GET": page(), "POST": ELSEWHERE},
        "accounts/inactive/": READ_ONLY,
        "accounts/signup/": FOR_GUESTS,
        "accounts/reauthenticate/": {"GET": page(), "POST": page()},
        "accounts/2fa/": {"GET": page(), "POST": OPEN_NO_METHOD},
        # Nobody here has given a first factor only.
        "accounts/2fa/authenticate/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        "accounts/2fa/passkeys/login/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        # Nobody here has a factor to confirm with, so the page for the password comes.
        "accounts/2fa/reauthenticate/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        "accounts/2fa/passkeys/reauthenticate/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        # The sign-ins here are not recent.
        "accounts/2fa/totp/activate/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        "accounts/2fa/totp/deactivate/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        "accounts/2fa/recovery-codes/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        "accounts/2fa/passkeys/add/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        "accounts/2fa/passkeys/<int:pk>/rename/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        "accounts/2fa/passkeys/<int:pk>/remove/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        "accounts/email/": {"GET": page(), "POST": ELSEWHERE},
        "accounts/confirm-email/": READ_ONLY,
        "accounts/password/change/": {"GET": page(), "POST": page()},
        # All accounts here have a password, so they are redirected to the page that changes it.
        "accounts/password/set/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        "accounts/password/reset/": PUBLIC,
        "accounts/login/code/": FOR_GUESTS,
        # Nobody has begun to sign up with a provider, and there is none.
        "accounts/3rdparty/": {"GET": page(), "POST": ELSEWHERE},
        "accounts/3rdparty/signup/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        "accounts/oidc/<str:id>/login/": {"GET": OPEN_NO_METHOD, "POST": {"default": 404}},
        "accounts/oidc/<str:id>/login/callback/": {
            "GET": {"default": 404},
            "POST": OPEN_NO_METHOD,
        },
        "accounts/login/code/confirm/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
        # The key in the link is the credential. The owner's address is verified already.
        "accounts/^confirm-email/(?P<key>[-:\\w]+)/$": {"GET": OPEN, "POST": {"default": 404}},
        "accounts/password/reset/key/done/": READ_ONLY,
        # The key is wrong, and the page says so.
        "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": PUBLIC,
        "accounts/password/reset/done/": READ_ONLY,
        "admin/login/": {"GET": ADMIN_DOOR, "POST": ADMIN_DOOR},
        # The site's page changes the password instead.
        "admin/password_change/": {"GET": ELSEWHERE, "POST": OPEN_NO_METHOD},
        # What lets in is given after a recent sign-in, which the sign-ins here are not.
        "admin/accounts/user/<id>/password/": {"GET": admin(302), "POST": admin(302)},
        **in_admin("auth/group", ADMIN_RECENT),
        **in_admin("account/emailaddress", ADMIN_RECENT),
        # Tokens are made and revoked, never changed.
        **in_admin(
            "accounts/token",
            ADMIN_MODEL
            | {
                "add/": {"GET": admin(302), "POST": admin(302)},
                "<path:object_id>/change/": {"GET": admin(), "POST": admin(403)},
            },
        ),
        **in_admin("accounts/outgoingmail", ADMIN_READ_ONLY),
        **in_admin("mfa/authenticator", ADMIN_READ_ONLY),
        # Accounts are deactivated, never deleted.
        **in_admin(
            "accounts/user",
            ADMIN_RECENT
            | {
                # The actions take away only.
                "": ADMIN_MODEL[""],
                "<path:object_id>/delete/": {"GET": admin(403), "POST": admin(403)},
            },
        ),
    },
    bodies={
        "api/v1/auth/token/": {"username": "owner", "password": PASSWORD},
        "api/v1/auth/jwt/": {"username": "owner", "password": PASSWORD},
        "api/v1/auth/jwt/refresh/": {"refresh": "shr_unknown"},
        "api/v1/auth/jwt/revoke/": {"refresh": "shr_unknown"},
        "accounts/login/": {"login": "owner", "password": "wrong"},
    },
)
