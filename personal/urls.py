"""The routes of personal data, below ``/api/v1/``."""

from django.urls import path

from personal import api

urlpatterns = [
    path("accounts/me/exports/", api.ExportListView.as_view(), name="api_exports"),
    path("accounts/me/exports/<str:id>/", api.ExportView.as_view(), name="api_export"),
    path(
        "accounts/me/exports/<str:id>/archive/",
        api.ArchiveView.as_view(),
        name="api_export_archive",
    ),
    path("accounts/me/erasure/", api.OwnErasureView.as_view(), name="api_own_erasure"),
    path("accounts/<str:userid>/erasure/", api.ErasureView.as_view(), name="api_erasure"),
]
