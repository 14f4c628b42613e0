"""The routes of leads below ``/api/v1/``."""

from django.urls import path

from quizzes.leads import api, respondents

_LEADS = "companies/<str:company>/leads/"
_ATTEMPT = "q/<str:slug>/attempts/<uuid:id>/"

urlpatterns = [
    path(_LEADS, api.LeadListView.as_view(), name="api_leads"),
    path(f"{_LEADS}export.csv", api.LeadsCsvView.as_view(), name="api_leads_csv"),
    path(f"{_LEADS}export.xlsx", api.LeadsXlsxView.as_view(), name="api_leads_xlsx"),
    path(f"{_LEADS}export.jsonl", api.LeadsJsonlView.as_view(), name="api_leads_jsonl"),
    path(f"{_LEADS}<str:id>/", api.LeadView.as_view(), name="api_lead"),
    path(
        "companies/<str:company>/quizzes/<str:id>/results/<str:result>/pdf/",
        api.CompanyResultPdfView.as_view(),
        name="api_quiz_result_pdf",
    ),
    path("q/confirm/", respondents.ConfirmLinkView.as_view(), name="api_q_confirm"),
    path("q/withdraw/", respondents.WithdrawLinkView.as_view(), name="api_q_withdraw"),
    path("q/erase/", respondents.EraseLinkView.as_view(), name="api_q_erase"),
    path("q/again/", respondents.AgainLinkView.as_view(), name="api_q_again"),
    path(f"{_ATTEMPT}contact/", respondents.ContactView.as_view(), name="api_q_contact"),
    path(f"{_ATTEMPT}result.pdf", respondents.ResultPdfView.as_view(), name="api_q_result_pdf"),
]
