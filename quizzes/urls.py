"""The routes of quizzes, below ``/api/v1/``; each part has its own."""

from django.urls import include, path

urlpatterns = [
    # Before quizzes of respondents, because these have no slug.
    path("", include("quizzes.leads.urls")),
    path("companies/<str:company>/quizzes/", include("quizzes.authoring.urls")),
    path("companies/<str:company>/quizzes/", include("quizzes.answering.company_urls")),
    path("companies/", include("quizzes.companies.urls")),
    path("q/<str:slug>/", include("quizzes.answering.urls")),
    path("", include("quizzes.funnel.urls")),
]
