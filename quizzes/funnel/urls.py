"""The routes of the funnel, below ``/api/v1/``."""

from django.urls import path

from quizzes.funnel.api import FunnelView
from quizzes.funnel.respondents import ChallengeView, ViewsView

urlpatterns = [
    path(
        "companies/<str:company>/quizzes/<str:id>/funnel/",
        FunnelView.as_view(),
        name="api_quiz_funnel",
    ),
    path("q/<str:slug>/views/", ViewsView.as_view(), name="api_q_views"),
    path("q/<str:slug>/challenge/", ChallengeView.as_view(), name="api_q_challenge"),
]
