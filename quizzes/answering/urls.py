"""The routes of respondents, below ``/api/v1/q/{slug}/``."""

from django.urls import URLPattern, path

from quizzes.answering import api

urlpatterns: list[URLPattern] = [
    path("", api.PublicQuizView.as_view(), name="api_q_quiz"),
    path("attempts/<uuid:id>/", api.AttemptView.as_view(), name="api_q_attempt"),
    path("attempts/<uuid:id>/finish/", api.FinishView.as_view(), name="api_q_finish"),
    path("attempts/<uuid:id>/result/", api.AttemptResultView.as_view(), name="api_q_result"),
]
