"""The pages of quizzes; each part has its own."""

from django.urls import URLPattern, URLResolver, include, path

from quizzes.pages import links
from quizzes.pages.funnel import quiz_funnel
from quizzes.pages.schema import schema

urlpatterns: list[URLPattern | URLResolver] = [
    # Before quizzes, because these have no slug.
    path("q/confirm/", links.confirm, name="link_confirm"),
    path("q/result/", links.result, name="link_result"),
    path("q/leave/", links.leave, name="link_leave"),
    path("quizzes/leads/", include("quizzes.pages.leads_urls")),
    path("q/", include("quizzes.pages.player.urls")),
    path("quizzes/", include("quizzes.pages.editing.urls")),
    path("documentation/quiz.schema.json", schema, name="quiz_schema"),
    path("quizzes/<uuid:id>/funnel/", quiz_funnel, name="quiz_funnel"),
]
