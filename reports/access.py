"""Access to reports: which kinds an account may request, and whose reports it sees."""

from accounts.access import check
from accounts.models import User
from accounts.permissions import Permission, allows
from reports.models import Report

_NEEDED = {
    Report.Kind.STATEMENT: Permission.REPORTS_WRITE,
    # The sales report holds every customer's purchases.
    Report.Kind.SALES: Permission.REPORTS_WRITE_ALL,
    Report.Kind.CUSTOMER: Permission.REPORTS_WRITE_ALL,
}


def may_request(user: User, kind: str) -> bool:
    """Return whether the account may request a report of this kind."""
    return allows(user.permissions, _NEEDED[Report.Kind(kind)])


def check_request(user: User, kind: str) -> None:
    """Raise ``Forbidden`` where the account may not request a report of this kind."""
    detail = "The sales report is for staff." if kind == Report.Kind.SALES else None
    check(user.permissions, _NEEDED[Report.Kind(kind)], detail)


def may_see_all_reports(user: User) -> bool:
    """Return whether the account sees everybody's reports."""
    return allows(user.permissions, Permission.REPORTS_READ_ALL)
