"""The pages of quizzes; each part has its own."""

from django.urls import URLPattern, URLResolver, include, path

from quizzes.pages.funnel import quiz_funnel

urlpatterns: list[URLPattern | URLResolver] = [
    path("q/", include("quizzes.pages.player.urls")),
    path("quizzes/", include("quizzes.pages.editing.urls")),
    path("quizzes/<uuid:id>/funnel/", quiz_funnel, name="quiz_funnel"),
]
