"""The pages of quizzes; each part has its own."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("q/", include("quizzes.pages.player.urls")),
    path("quizzes/", include("quizzes.pages.editing.urls")),
]
