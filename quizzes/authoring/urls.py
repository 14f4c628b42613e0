"""The routes of quizzes, below ``/api/v1/companies/{company}/quizzes/``."""

from django.urls import path

from quizzes.authoring import api, files

_ONE = "<str:id>/"

urlpatterns = [
    path("", api.QuizListView.as_view(), name="api_quizzes"),
    path("import/", files.ImportView.as_view(), name="api_quiz_import"),
    path(_ONE, api.QuizView.as_view(), name="api_quiz"),
    path(f"{_ONE}export.json", files.ExportView.as_view(), name="api_quiz_export"),
    path(f"{_ONE}draft/", api.DraftView.as_view(), name="api_quiz_draft"),
    path(f"{_ONE}check/", api.CheckView.as_view(), name="api_quiz_check"),
    path(f"{_ONE}publish/", api.PublishView.as_view(), name="api_quiz_publish"),
    path(f"{_ONE}versions/", api.VersionListView.as_view(), name="api_quiz_versions"),
    path(f"{_ONE}versions/<str:number>/", api.VersionView.as_view(), name="api_quiz_version"),
]
