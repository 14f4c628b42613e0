"""The pages of billing, below ``/billing/``."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
