"""The list of customers as a file, streamed as exports of purchases are."""

from django.db import connections
from django.db.backends.postgresql.psycopg_any import mogrify
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from accounts.access import Caller, may_see_everything
from accounts.models import User
from accounts.names import NameKey
from purchases.customers import NEWEST, customers, may_see_addresses
from purchases.exports import COPY, SETTINGS, Export
from purchases.formats import Format, Plain, cell, iso, joined
from purchases.workbook import AFTER, BEFORE, CONTENT_TYPE, Workbook, escaped, moment
from shop.core.admission import account_holder
from shop.core.replica import database_for
from shop.server.streaming import streamed

KINDS = ("csv", "xlsx")
TIMES = ("joined_at", "newest_purchase")
# A column's SQL over `c`, an account, and `p`, what it bought; and its width in a workbook.
_COLUMNS = {
    "username": ("c.username", 30),
    "userid": ("c.userid", 30),
    "email": ("c.email", 30),
    "is_active": ("c.is_active::text", 10),
    "joined_at": ("c.date_joined", 20),
    "purchases": ("p.count", 10),
    "newest_purchase": ("p.newest", 20),
}
_BOUGHT = """
LEFT JOIN LATERAL (
    SELECT count(*) AS count, max(timestamp) AS newest FROM purchases_purchase
    WHERE customer_id = c.id
) AS p ON true
"""


def answer(
    request: HttpRequest, *, caller: Caller, kind: str, text: str = "", order: str = ""
) -> HttpResponseBase:
    """Answer with all customers of the list that ``text`` and ``order`` describe.

    Addresses and purchases are columns only for a caller who may see them. ``kind`` is one of
    ``KINDS``.
    """
    hidden = set() if may_see_addresses(caller) else {"email"}
    if not may_see_everything(caller):
        hidden |= {"purchases", "newest_purchase"}
    columns = [name for name in _COLUMNS if name not in hidden]
    format = _workbook(columns) if kind == "xlsx" else _csv(columns)
    headers = {
        "Content-Type": format.content_type,
        "Content-Disposition": f'attachment; filename="{format.filename}"',
        "Cache-Control": "private, no-store",
    }
    if request.method == "HEAD":
        return StreamingHttpResponse(iter(()), headers=headers)
    using = database_for(caller.id)
    found = _found(caller, text).using(using)
    select = _statement(found, order, format.row, _BOUGHT if "purchases" in columns else "")
    export = Export(
        holder=account_holder(caller.id),
        statement=COPY.format(select),
        using=using,
        format=format,
        settings=SETTINGS,
    )
    return streamed(request, export, **headers)


def content_type_of(kind: str) -> str:
    """Return the media type of a kind of file."""
    return CONTENT_TYPE if kind == "xlsx" else "text/csv"


def _found(caller: Caller, text: str) -> QuerySet[User]:
    """Return the customers that the list finds by a text, and all without one."""
    if not text:
        return customers()
    fields = ["userid", "username", *(["email"] if may_see_addresses(caller) else [])]
    wanted = Q()
    for field in fields:
        named = User.objects.starting_with(field, text).order_by()
        wanted |= Q(pk__in=named.values("pk"))
    return customers().filter(wanted)


def _statement(found: QuerySet[User], order: str, row: str, bought: str) -> str:
    """Return the SELECT that writes the customers, one per row, in the list's order."""
    fields = ("id", "username", "userid", "email", "is_active", "date_joined", "namesake")
    rows = found.annotate(sort_key=NameKey(F("username"))).order_by()
    sql, parameters = rows.values_list(*fields, "sort_key").query.sql_with_params()
    connection = connections[found.db]
    connection.ensure_connection()
    by = "c.id DESC" if order == NEWEST else "c.sort_key, c.namesake"
    inner = mogrify(sql, parameters, connection)
    return f"SELECT {row} FROM ({inner}) AS c {bought} ORDER BY {by}"  # noqa: S608


def _csv(columns: list[str]) -> Format:
    def text(name: str) -> str:
        expression = _COLUMNS[name][0]
        if name in TIMES:
            return f"coalesce({iso(expression)}, '')"
        return f"{expression}::text" if name == "purchases" else cell(expression)

    header = (",".join(columns) + "\r\n").encode()
    return Format(
        names="",
        row=joined("'\"'", " || '\",\"' || ".join(map(text, columns)), "E'\"\\r\\n'"),
        encoder=lambda: Plain(header),
        content_type="text/csv; charset=utf-8",
        filename="customers.csv",
    )


def _workbook(columns: list[str]) -> Format:
    def xml(name: str) -> str:
        expression = _COLUMNS[name][0]
        if name in TIMES:
            return f"coalesce({moment(expression)}, '<c/>')"
        if name == "purchases":
            return f"'<c><v>' || {expression} || '</v></c>'"
        return f"'{BEFORE}' || {escaped(expression)} || '{AFTER}'"

    widths = [_COLUMNS[name][1] for name in columns]
    return Format(
        names="",
        row=joined("'<row>'", *(f"({xml(name)})" for name in columns), "'</row>'"),
        encoder=lambda: Workbook("customers", columns, widths),
        content_type=CONTENT_TYPE,
        filename="customers.xlsx",
    )
