"""What the templates of the account pages need."""

from typing import Any

from allauth.socialaccount.models import SocialAccount
from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.factors.relying_party import relying_party_id
from accounts.sessions.pages import METHODS
from shop.core.apps import account_pages

register = template.Library()


SECTIONS = {
    "account_overview": _("Overview"),
    "account_email": _("Addresses"),
    "account_change_password": _("Password"),
    "mfa_index": _("Second factors"),
    "socialaccount_connections": _("Providers"),
    "session_list": _("Sessions"),
    "key_list": _("Keys"),
    "security": _("Security"),
    "preferences": _("Language"),
}
"""The pages of one's own account, by the names of their routes."""


@register.simple_tag(takes_context=True)
def account_sections(context: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pages of one's own account as tabs."""
    request = context["request"]
    shown = getattr(request.resolver_match, "view_name", "")
    # A link to a provider that the shop gave up can still be removed.
    providers = "socialaccount_connections"
    offered = (
        bool(settings.IDENTITY_PROVIDERS)
        or shown == providers
        or SocialAccount.objects.filter(user_id=request.user.pk).exists()
    )
    return [
        {
            "label": label,
            "url": reverse(route),
            "current": route == shown,
            "within": route != "account_overview" and request.path.startswith(reverse(route)),
        }
        for route, label in [*SECTIONS.items(), *account_pages()]
        if offered or route != providers
    ]


@register.simple_tag
def identity_providers(user: Any = None) -> list[Any]:
    """Return the configured providers, or those that sign this account in."""
    if user is None:
        return list(settings.IDENTITY_PROVIDERS)
    linked = {link.provider for link in SocialAccount.objects.filter(user=user)}
    return [each for each in settings.IDENTITY_PROVIDERS if each.id in linked]


@register.simple_tag
def method_names(methods: list[str]) -> str:
    """Return in words how a session was signed in."""
    return ", ".join(str(METHODS.get(method, method)) for method in methods)


@register.simple_tag
def form_fields(form: Any) -> list[dict[str, Any]]:
    """Return what the field component shows of each field. No password is shown again."""
    return [
        {
            "name": field.html_name,
            "id": field.id_for_label,
            "label": field.label,
            "type": field.field.widget.input_type,
            "value": "" if field.field.widget.input_type == "password" else field.value() or "",
            "hint": field.help_text,
            "error": field.errors[0] if field.errors else "",
            "autocomplete": field.field.widget.attrs.get("autocomplete"),
            "maxlength": field.field.widget.attrs.get("maxlength"),
            "required": field.field.required,
            "readonly": field.field.disabled,
        }
        for field in form.visible_fields()
    ]


@register.simple_tag
def form_errors(form: Any) -> dict[str, str]:
    """Return what is wrong with a form by the ids of its fields, as the error summary wants it."""
    errors = {
        field.id_for_label: field.errors[0] for field in form.visible_fields() if field.errors
    }
    if own := form.non_field_errors():
        return {"": " ".join(own), **errors}
    return errors


@register.simple_tag
def form_labels(form: Any) -> dict[str, Any]:
    """Return the labels of a form by the ids of its fields."""
    return {field.id_for_label: field.label for field in form.visible_fields()}


@register.simple_tag
def site_has_passkeys() -> bool:
    """Return whether browsers can have passkeys for this site."""
    return bool(relying_party_id())
