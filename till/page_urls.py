"""The pages of the till, and what its scripts ask for. The service worker's scope is ``till/``."""

from django.urls import path

from till import pages

urlpatterns = [
    path("till/", pages.till, name="till"),
    path("till/session/", pages.session, name="till_session"),
    path("till/customers/", pages.customers, name="till_customers"),
    path("till/worker.js", pages.worker, name="till_worker"),
    path("till/manifest.webmanifest", pages.manifest, name="till_manifest"),
]
