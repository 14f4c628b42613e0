"""The page on which an administrator erases somebody, or keeps somebody from being erased."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from rest_framework.serializers import Serializer

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from people.guard import may_manage
from people.pages import by_field, said
from people.selectors import account_of
from personal import services
from personal.serializers import ErasureOrderSerializer, HoldSerializer
from shop.core.errors import ApplicationError, ValidationFailed, error_response


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.ACCOUNTS_ADMIN), POST=needs(P.ACCOUNTS_ADMIN, recent=True))
def erasing(request: HttpRequest, userid: str) -> HttpResponse:
    """Show what is to happen to somebody's data; with POST erase, hold or release the account."""
    actor = actor_of(request)
    try:
        account = account_of(userid)
        may_manage(actor, account)
    except ApplicationError as error:
        return error_response(request, error)
    action = request.POST.get("action", "")
    errors: dict[str, str] = {}
    status = 200
    if request.method == "POST":
        asked = (HoldSerializer if action == "hold" else ErasureOrderSerializer)(data=request.POST)
        try:
            if action == "release":
                services.hold_release(actor=actor, account=account)
                messages.success(request, _("The account may be erased again."))
                return redirect(request.path)
            if errors := _faults(asked):
                status = 400
            elif action == "hold":
                services.hold_place(actor=actor, account=account, **asked.validated_data)
                messages.success(request, _("The account is kept from being erased."))
                return redirect(request.path)
            else:
                erasure = services.erasure_order(
                    actor=actor, userid=account.userid, **asked.validated_data
                )
                if erasure.erased_at is None:
                    messages.success(request, _("The account will be erased."))
                    return redirect(request.path)
                messages.success(request, _("The account is erased."))
                return redirect("people")
        except ValidationFailed as error:
            errors, status = by_field(error), error.status
        except ApplicationError as error:
            errors, status = {"": said(error)}, error.status
    context = {
        "account": account,
        "is_own": account.pk == actor.pk,
        "erasure": services.erasure_of(account),
        "hold": services.hold_of(account),
        "given": request.POST,
        "action": action,
        "errors": errors,
        "labels": {"username": _("The account's username"), "reason": _("Why"), "now": _("When")},
        "moments": [("", _("In 14 days, until when it can be cancelled")), ("true", _("Now"))],
    }
    return render(request, "personal/erasing.html", context, status=status)


def _faults(asked: "Serializer[Any]") -> dict[str, str]:
    asked.is_valid()
    return {str(name): str(faults[0]) for name, faults in asked.errors.items()}
