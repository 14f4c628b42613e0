"""The pages of settings, and the files of the shop's look."""

from django.urls import path

from preferences import look, pages

urlpatterns = [
    path("settings/", pages.settings, name="settings"),
    path("settings/history/", pages.history, name="settings_history"),
    path("settings/restore/", pages.restore, name="settings_restore"),
    path("logo.png", look.logo, name="site_logo"),
    path("look.css", look.colours, name="site_colours"),
]
