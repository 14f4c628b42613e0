"""``/styleguide/``: every component of pages in its states. It exists in development only."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from shop.core.charts import Point, bar_chart, line_chart

MOMENT = datetime(2026, 11, 26, 13, 5, 9, tzinfo=UTC)
NAMES = [
    ("Ann", "Reading lamp", 1, "59.00", "EUR"),
    ("山田太郎・東京支店", "万年筆用インク 五十ミリリットル", 12, "1195", "JPY"),
    ("مريم الحسن", "مصباح للقراءة", 2, "1195.30", "EUR"),
    ("Zoë 🎈", "🎁 Gift box", 3, "24.46", "GBP"),
    ("Dana", "Saffron, 1 g", 4, "12.50", "KWD"),
    ("w" * 80, "W" * 200, 1000000, "9999999999.99", "EUR"),
]


def _samples() -> dict[str, Any]:
    day = timedelta(days=1)
    points = [
        Point(label=f"{hour}:00", value=hour * (24 - hour), before=hour * 5) for hour in range(24)
    ]
    headings = ["Hour", "Purchases", "Last week"]
    return {
        "moment": MOMENT,
        "today": MOMENT.date(),
        "kinds": ("", "good", "warn", "bad"),
        "rows": [
            {"customer": customer, "item": item, "quantity": quantity, "total": total,
             "currency": currency, "moment": MOMENT - place * timedelta(minutes=17)}
            for place, (customer, item, quantity, total, currency) in enumerate(NAMES)
        ],
        "columns": [("Item", "lead cut"), ("Quantity", "number tail")],
        "cells": [["Reading lamp", 1], ["Notebook, A5", 6]],
        "errors": {"sample-price": "This could mean 1195 or 1.195.", "": "Nothing was sent."},
        "labels": {"sample-price": "Price each"},
        "options": [("EUR", "Euro"), ("USD", "US dollar"), ("JPY", "Yen")],
        "currencies": ["EUR", "USD", "JPY"],
        "chips": [{"label": "Item: Reading lamp", "url": "?"}, {"label": "From 50 €", "url": "?"}],
        "tabs": [
            {"label": "Purchases", "url": "#tabs", "current": True},
            {"label": "Statements", "url": "#tabs", "count": 3},
        ],
        "bars": bar_chart(points, title="Purchases an hour", headings=headings),
        "line": line_chart(points, title="Purchases, as a line", headings=headings),
        "timeline": [
            {"title": "Statement sent", "moment": MOMENT, "icon": "send", "kind": "good"},
            {"title": "Mail refused", "moment": MOMENT - day, "icon": "triangle-alert",
             "kind": "bad", "text": "The mail server does not know the address."},
            {"title": "First purchase", "moment": MOMENT - 40 * day, "href": "#timeline"},
        ],
    }  # fmt: skip


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show every component. Raise ``Http404`` in production."""
    if not settings.DEVELOPMENT:
        raise Http404
    return render(request, "shop/styleguide.html", _samples())


urlpatterns = [path("styleguide/", styleguide, name="styleguide")]
