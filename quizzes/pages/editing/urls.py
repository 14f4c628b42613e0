"""The pages on which quizzes are made, below ``/quizzes/``."""

from django.urls import path

from quizzes.pages.editing import companies, editor, listing, opening, publishing, results

urlpatterns = [
    path("", listing.quiz_list, name="quiz_list"),
    path("companies/<str:company>/", companies.quiz_company, name="quiz_company"),
    path("<uuid:id>/", editor.quiz_editor, name="quiz_editor"),
    path("<uuid:id>/versions/", publishing.quiz_versions, name="quiz_versions"),
    path("<uuid:id>/preview/", publishing.quiz_preview, name="quiz_preview"),
    path("<uuid:id>/export.json", publishing.quiz_file, name="quiz_file"),
    path("<uuid:id>/opening/", opening.quiz_opening, name="quiz_opening"),
    path("<uuid:id>/results/", results.quiz_results, name="quiz_results"),
    path("<uuid:id>/results/<uuid:rid>/", results.quiz_result, name="quiz_result"),
    path("<uuid:id>/results/<uuid:rid>/pdf/", results.quiz_result_pdf, name="quiz_result_pdf"),
]
