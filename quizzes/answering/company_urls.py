"""The routes of results, below ``/api/v1/companies/{company}/quizzes/``."""

from django.urls import path

from quizzes.answering.company_api import QuizResultListView, QuizResultView

urlpatterns = [
    path("<str:id>/results/", QuizResultListView.as_view(), name="api_quiz_results"),
    path("<str:id>/results/<str:rid>/", QuizResultView.as_view(), name="api_quiz_result"),
]
