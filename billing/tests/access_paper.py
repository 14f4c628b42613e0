"""The access to papers, e-invoices and mails. The documents of the tests lack business terms."""

from tests.access import NO_METHOD, api

B = "api/v1/billing/"
_ALL = ("support", "finance", "analyst", "auditor", "admin")
# Nothing is rendered yet, and the shop of the tests has no address.
_FILE = {
    "GET": api(404, owner=409, client=403, **dict.fromkeys(_ALL, 409)),
    "POST": NO_METHOD,
}
_SEND = {"GET": NO_METHOD, "POST": api(403, finance=202, admin=202)}

API = {
    f"{B}{part}/<str:id>/{file}/": rows
    for part in ("invoices", "credit-notes")
    for file, rows in (("pdf", _FILE), ("xml", _FILE), ("send", _SEND))
}
