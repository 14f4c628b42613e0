"""The pages of settings, and the files of the shop's look."""

from django.urls import path

from preferences import look

urlpatterns = [
    path("logo.png", look.logo, name="site_logo"),
    path("look.css", look.colours, name="site_colours"),
]
