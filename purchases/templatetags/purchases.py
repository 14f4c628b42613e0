"""Tags of pages with rows of purchases."""

from typing import Any

from django import template

register = template.Library()

_BLANK = {
    "id": "00000000-0000-0000-0000-000000000000",
    "username": "USERNAME",
    "userid": "USERID",
    "item": "ITEM",
    "quantity": 1,
    "price": "0.00",
    "currency": "EUR",
    "total": "0.00",
    "timestamp": "2000-01-01T00:00:00.000000Z",
}


@register.inclusion_tag("purchases/_template.html", takes_context=True)
def purchase_template(context: template.Context) -> dict[str, Any]:
    """Return the ``<template>`` of the rows that JavaScript adds, in the way of the page's rows."""
    kept = {name: context.get(name) for name in ("show_customers", "is_program")}
    return {"purchase": _BLANK, **kept}
