"""The pages of settings at run time."""

import base64
from collections.abc import Mapping
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import allowed
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from preferences import fields, selectors, services
from preferences.fields import Field
from shop.core import site_settings
from shop.core.errors import ApplicationError, ValidationFailed
from shop.core.pagination import Page, paginate
from shop.core.site_settings import SECTIONS, Unfit
from shop.core.site_settings.logo import MAX_BYTES

may_write = allowed(P.SETTINGS_WRITE_ALL)
VERSION_DIGITS = 18


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.SETTINGS_READ_ALL), POST=needs(P.SETTINGS_WRITE_ALL))
def settings(request: HttpRequest) -> HttpResponse:
    """Show the settings, those that the reader looks for; make the form's changes."""
    sought = request.GET.get("q", "").strip()[:100]
    errors: dict[str, str] = {}
    status = 200
    if request.method == "POST":
        changes, errors = _changes(request)
        if not errors:
            try:
                before = site_settings.version()
                version = services.settings_change(
                    actor=cast(User, request.user), changes=changes, expected=_expected(request)
                )
            except ApplicationError as error:
                status, errors = error.status, _told(error)
            else:
                _tell(request, changed=version != before)
                return redirect(request.get_full_path())
        else:
            status = 400
    version, shown = selectors.shown_settings()
    found = [fields.field_of(each, request.POST, errors) for each in shown]
    context = {
        "tabs": _tabs("settings"),
        "version": version,
        "sections": _sections([field for field in found if field.is_about(sought)]),
        "sought": sought,
        "errors": errors,
        "labels": {field.name: field.label for field in found},
        "may_write": may_write(request.user),
        "logo_bytes": MAX_BYTES,
    }
    return render(request, "preferences/settings.html", context, status=status)


@require_safe
@requires(GET=needs(P.SETTINGS_READ_ALL))
def history(request: HttpRequest) -> HttpResponse:
    """Show the changes, newest first."""
    name = request.GET.get("name", "")
    registry = site_settings.registry()
    errors: dict[str, str] = {}
    page: Page[Any] = Page([], None, None)
    try:
        page = paginate(
            selectors.history(name if name in registry else None),
            cursor=request.GET.get("cursor"),
            moment_field="changed_at",
            number_field="pk",
        )
    except ValidationFailed as error:
        errors = {"": str(error)}
    people = selectors.names_of(change.changed_by_id for change in page.items)
    context = {
        "tabs": _tabs("settings_history"),
        "rows": list(fields.rows_of(page.items, people)),
        "links": page.links(f"name={name}" if name in registry else ""),
        "shown": registry.get(name),
        "errors": errors,
        "may_write": may_write(request.user),
    }
    return render(request, "preferences/history.html", context, status=400 if errors else 200)


@require_POST
@requires(POST=needs(P.SETTINGS_WRITE_ALL))
def restore(request: HttpRequest) -> HttpResponse:
    """Restore the version of the form."""
    version = _version(request.POST.get("version", ""))
    try:
        before = site_settings.version()
        now = services.settings_restore(
            actor=cast(User, request.user), version=-1 if version is None else version
        )
    except ApplicationError as error:
        messages.error(request, " ".join(_told(error).values()))
        return redirect("settings_history")
    _tell(request, changed=now != before)
    return redirect("settings")


def _tell(request: HttpRequest, *, changed: bool) -> None:
    if changed:
        messages.success(request, gettext("It is in force everywhere within 5 seconds."))
    else:
        messages.info(request, gettext("Everything is so already."))


def _changes(request: HttpRequest) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values that the form changes, and what is wrong with others, by name."""
    post = request.POST
    changes: dict[str, Any] = {
        name: None for name in post.getlist("reset") if name in site_settings.registry()
    }
    errors: dict[str, str] = {}
    for name, setting in site_settings.registry().items():
        if name in changes:
            continue
        try:
            if (file := request.FILES.get(name)) is not None:
                content = file.read(MAX_BYTES + 3)
                # What the picture is, its content says.
                encoded = base64.b64encode(content).decode()
                changes[name] = setting.check(f"data:image/png;base64,{encoded}")
            elif setting.type == "image":
                # A browser sends an empty text where no file was chosen.
                continue
            elif name in post and str(post[name]) != post.get(f"was-{name}"):
                changes[name] = setting.parse(str(post[name]).strip())
        except Unfit as error:
            errors[name] = fields.sentence(error)
    return changes, errors


def _told(error: ApplicationError) -> dict[str, str]:
    return {item.attr or "": gettext(item.detail) for item in error.errors}


def _version(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= VERSION_DIGITS
    return int(text) if is_number else None


def _expected(request: HttpRequest) -> set[int] | None:
    version = _version(request.POST.get("version", ""))
    return None if version is None else {version}


def _sections(found: list[Field]) -> list[tuple[str, Any, list[Field]]]:
    """Return the name, the heading and the fields of each section that has some."""
    by_section: dict[str, list[Field]] = {}
    for field in found:
        by_section.setdefault(field.section, []).append(field)
    return [(name, SECTIONS[name], own) for name, own in by_section.items()]


def _tabs(current: str) -> list[Mapping[str, Any]]:
    labels = {"settings": _("Settings"), "settings_history": _("History")}
    return [
        {"label": label, "url": reverse(route), "current": route == current}
        for route, label in labels.items()
    ]
