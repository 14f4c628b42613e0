"""What must hold in billing, for ``manage.py verify_billing`` and ``verify_ledger``.

Most of it the database refuses to break. The checks find what somebody did who may switch that off.
"""

from collections.abc import Iterator

from django.db import connection

from billing.content import content_of
from billing.invoices.models import Document
from billing.parties.models import Party
from billing.parties.sealed import opened
from billing.payments import checks as payments
from shop.core.ledger import LedgerCheck, Say, no_rows
from shop.core.sealing import Unsealable

_BATCH = 500
_GUARDED = (
    "billing_document",
    "billing_line",
    "billing_tax",
    "billing_entry",
    "billing_redemption",
)
_CONSTRAINTS = (
    "billing_previous",
    "billing_first",
    "billing_hash",
    "billing_total",
    "billing_one_number",
    "billing_chain",
)
_SUMS = {
    "credited": ("credited", ""),
    "paid": ("paid", "payment_reversed"),
    "refunded": ("refunded", "refund_reversed"),
    "charged_back": ("charged_back", "chargeback_reversed"),
}
_BALANCE = " OR ".join(
    f"b.{name} <> coalesce(e.{plus}, 0) - coalesce(e.{minus}, 0)"
    if minus
    else f"b.{name} <> coalesce(e.{plus}, 0)"
    for name, (plus, minus) in _SUMS.items()
)
_ENTRIES = ", ".join(
    f"sum(amount) FILTER (WHERE kind = '{kind}') AS {kind}"
    for pair in _SUMS.values()
    for kind in pair
    if kind
)


def _guards(say: Say) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT name FROM unnest(%s::text[]) AS name WHERE NOT EXISTS (
                 SELECT FROM pg_trigger WHERE tgrelid = to_regclass(name) AND NOT tgisinternal
                    AND tgenabled IN ('O', 'A'))""",
            [list(_GUARDED)],
        )
        yield from (f"{name} has no trigger that keeps its rows" for (name,) in cursor.fetchall())
        cursor.execute(
            """SELECT name FROM unnest(%s::text[]) AS name WHERE NOT EXISTS (
                 SELECT FROM pg_constraint WHERE conname = name AND convalidated)""",
            [list(_CONSTRAINTS)],
        )
        yield from (f"the constraint {name} is missing" for (name,) in cursor.fetchall())


def _parties(say: Say) -> Iterator[str]:
    erased = Document.objects.filter(party=None).count()
    if erased:
        say(f"{erased} documents of erased customers have no buyer any more")
    parties = Party.objects.select_related("document").order_by("pk")
    for party in parties.iterator(chunk_size=_BATCH):
        document = party.document
        try:
            _buyer, digest = opened(party)
        except Unsealable as error:
            yield f"{document.label}: {error}"
            continue
        if digest != content_of(document.canonical).buyer:
            yield f"{document.label} was issued to another buyer than the one that is kept"


CHECKS = (
    LedgerCheck("The database keeps documents, lines, taxes and entries unchanged.", _guards),
    no_rows(
        "The numbers of each series are 1 to n, each once.",
        """SELECT s.code FROM billing_series AS s
           LEFT JOIN (SELECT series, count(*) AS n, min(number) AS first, max(number) AS last
                        FROM billing_document GROUP BY series) AS d ON d.series = s.code
           WHERE coalesce(d.n, 0) <> s.next_number - 1
              OR coalesce(d.last, 0) <> s.next_number - 1 OR coalesce(d.first, 1) <> 1""",
    ),
    no_rows(
        "Every hash is that of the document and of the one before, and no day goes back.",
        """SELECT label FROM (
             SELECT label, number, hash, previous_hash, issued_on,
                    sha256(previous_hash || canonical) AS computed,
                    lag(hash) OVER w AS before, lag(issued_on) OVER w AS day_before
               FROM billing_document WINDOW w AS (PARTITION BY series ORDER BY number)) AS d
           WHERE hash <> computed OR day_before > issued_on
              OR previous_hash <> coalesce(before, decode(repeat('00', 32), 'hex'))""",
    ),
    no_rows(
        "Every series ends with its last document.",
        """SELECT s.code FROM billing_series AS s
           JOIN billing_document AS d ON d.series = s.code AND d.number = s.next_number - 1
           WHERE s.last_hash <> d.hash OR s.last_issued_on IS DISTINCT FROM d.issued_on""",
    ),
    no_rows(
        "Every document says what its rows say.",
        """SELECT label FROM (
             SELECT *, convert_from(canonical, 'UTF8')::jsonb AS says FROM billing_document) AS d
           WHERE says->>'number' <> label OR says->>'series' <> series
              OR (says->>'sequence')::int <> number OR says->>'kind' <> kind
              OR says->>'id' <> id::text OR (says->>'issued_on')::date <> issued_on
              OR (says->>'due_on')::date IS DISTINCT FROM due_on
              OR says->'corrects'->>'id' IS DISTINCT FROM corrects_id::text
              OR says->'body'->>'currency' <> currency
              OR (says->'body'->>'net')::numeric <> net OR (says->'body'->>'tax')::numeric <> tax
              OR (says->'body'->>'total')::numeric <> total
              OR (says->'body'->>'exponent')::int <> exponent
              OR (says->'body'->>'prices_include_tax')::boolean <> prices_include_tax
              OR jsonb_array_length(says->'body'->'lines')
                 <> (SELECT count(*) FROM billing_line WHERE document_id = d.id)
              OR EXISTS (
                   SELECT FROM jsonb_array_elements(says->'body'->'lines') AS l
                   LEFT JOIN billing_line AS row
                     ON row.document_id = d.id AND row.position = (l->>'position')::int
                   LEFT JOIN billing_line AS credited
                     ON credited.id = row.credits_id AND credited.document_id = d.corrects_id
                   WHERE row.id IS NULL OR row.net <> (l->>'net')::numeric
                      OR row.gross <> (l->>'gross')::numeric
                      OR row.discount <> (l->>'discount')::numeric
                      OR row.quantity <> (l->>'quantity')::int
                      OR row.text <> l->>'text' OR row.price <> (l->>'price')::numeric
                      OR row.tax_category <> l->>'tax_category'
                      OR row.tax_rate <> (l->>'tax_rate')::numeric
                      OR credited.position IS DISTINCT FROM (l->>'credits')::int
                      OR row.purchase::text IS DISTINCT FROM l->>'purchase')
              OR jsonb_array_length(says->'body'->'taxes')
                 <> (SELECT count(*) FROM billing_tax WHERE document_id = d.id)
              OR EXISTS (
                   SELECT FROM jsonb_array_elements(says->'body'->'taxes') AS t
                   LEFT JOIN billing_tax AS row
                     ON row.document_id = d.id AND row.category = t->>'category'
                    AND row.rate = (t->>'rate')::numeric
                   WHERE row.id IS NULL OR row.net <> (t->>'net')::numeric
                      OR row.tax <> (t->>'tax')::numeric)""",
    ),
    no_rows(
        "Lines and taxes add up to every document, to the cent.",
        """SELECT d.label FROM billing_document AS d
           LEFT JOIN (SELECT document_id, sum(net) AS net FROM billing_line GROUP BY 1) AS l
             ON l.document_id = d.id
           LEFT JOIN (SELECT document_id, sum(net) AS net, sum(tax) AS tax
                        FROM billing_tax GROUP BY 1) AS t ON t.document_id = d.id
           WHERE d.total <> d.net + d.tax OR coalesce(l.net, 0) <> d.net
              OR coalesce(t.net, 0) <> d.net OR coalesce(t.tax, 0) <> d.tax""",
    ),
    no_rows(
        "The tax of every invoice is that of its rates.",
        """SELECT d.label FROM billing_tax AS t
           FULL JOIN (SELECT document_id, tax_category, tax_rate, sum(gross - discount) AS gross
                        FROM billing_line GROUP BY 1, 2, 3) AS l
             ON l.document_id = t.document_id AND l.tax_category = t.category
                AND l.tax_rate = t.rate
           JOIN billing_document AS d ON d.id = coalesce(t.document_id, l.document_id)
           WHERE d.kind = 'invoice' AND CASE
             WHEN t.net IS NULL OR l.gross IS NULL THEN true
             WHEN d.prices_include_tax
             THEN t.net <> round(l.gross * 100 / (100 + t.rate), d.exponent)
               OR t.tax <> l.gross - t.net
             ELSE t.net <> l.gross OR t.tax <> round(t.net * t.rate / 100, d.exponent) END""",
    ),
    no_rows(
        "Every line of an invoice is quantity times price.",
        """SELECT d.label FROM billing_line AS l JOIN billing_document AS d ON d.id = l.document_id
           WHERE d.kind = 'invoice' AND l.gross <> round(l.quantity * l.price, d.exponent)""",
    ),
    no_rows(
        "A purchase is on at most one invoice that is not void.",
        """SELECT l.purchase FROM billing_line AS l
           JOIN billing_balance AS b ON b.document_id = l.document_id AND b.status <> 'void'
           WHERE l.purchase IS NOT NULL GROUP BY l.purchase HAVING count(*) > 1""",
    ),
    no_rows(
        "Invoices that are not void have their purchases, and no others do.",
        """SELECT coalesce(l.purchase, c.purchase) FROM (
             SELECT l.purchase, l.document_id FROM billing_line AS l
             JOIN billing_balance AS b ON b.document_id = l.document_id AND b.status <> 'void'
             WHERE l.purchase IS NOT NULL) AS l
           FULL JOIN billing_claim AS c
             ON c.purchase = l.purchase AND c.document_id = l.document_id
           WHERE l.purchase IS NULL OR c.purchase IS NULL""",
    ),
    no_rows(
        "Every purchase on an invoice is in the ledger as the invoice says.",
        """SELECT d.label FROM billing_line AS l
           JOIN billing_document AS d ON d.id = l.document_id AND d.kind = 'invoice'
           LEFT JOIN purchases_purchase AS p ON p.id = l.purchase
           WHERE l.purchase IS NOT NULL AND (p.id IS NULL OR p.customer_id <> d.customer_id
              OR p.price <> l.price OR p.quantity <> l.quantity OR p.currency <> d.currency
              OR p.item <> l.text)""",
    ),
    no_rows(
        "Credit notes never credit more than their invoice, in total and of each line.",
        """SELECT i.label FROM billing_document AS i
           JOIN (SELECT corrects_id, sum(total) AS total, sum(net) AS net, sum(tax) AS tax
                   FROM billing_document WHERE kind = 'credit_note' GROUP BY 1) AS n
             ON n.corrects_id = i.id
           WHERE n.total > i.total OR n.net > i.net OR n.tax > i.tax
           UNION ALL
           SELECT d.label FROM billing_line AS l JOIN billing_document AS d ON d.id = l.document_id
           JOIN (SELECT credits_id, sum(net) AS net, sum(quantity) AS quantity,
                        sum(gross - discount) AS cost
                   FROM billing_line WHERE credits_id IS NOT NULL GROUP BY 1) AS n
             ON n.credits_id = l.id
           -- With tax included the net of a line is its share of a sum that is rounded once.
           WHERE (n.net > l.net AND NOT d.prices_include_tax)
              OR n.quantity > l.quantity OR n.cost > l.gross - l.discount""",
    ),
    no_rows(
        "What is credited of each rate has the tax of its sum, as the invoice itself has.",
        """SELECT i.label FROM billing_document AS i
           JOIN billing_tax AS t ON t.document_id = i.id
           JOIN (SELECT n.corrects_id, x.category, x.rate, sum(x.tax) AS tax, sum(x.net) AS net
                   FROM billing_tax AS x JOIN billing_document AS n ON n.id = x.document_id
                  WHERE n.kind = 'credit_note' GROUP BY 1, 2, 3) AS c
             ON c.corrects_id = i.id AND c.category = t.category AND c.rate = t.rate
           WHERE CASE
             WHEN c.net + c.tax > t.net + t.tax THEN true
             WHEN i.prices_include_tax
             THEN c.net <> round((c.net + c.tax) * 100 / (100 + t.rate), i.exponent)
             ELSE c.tax <> round(c.net * t.rate / 100, i.exponent) END""",
    ),
    no_rows(
        "What is credited of every invoice is the sum of its credit notes.",
        """SELECT b.document_id FROM billing_balance AS b
           LEFT JOIN (SELECT corrects_id, sum(total) AS total FROM billing_document
                       WHERE kind = 'credit_note' GROUP BY 1) AS n ON n.corrects_id = b.document_id
           WHERE b.credited <> coalesce(n.total, 0)""",
    ),
    no_rows(
        "Every invoice has its balance, and the balance is the sum of the entries.",
        f"""SELECT d.label FROM billing_document AS d
           LEFT JOIN billing_balance AS b ON b.document_id = d.id
           LEFT JOIN (SELECT document_id, {_ENTRIES},
                             sum(amount) FILTER (WHERE kind = 'issued') AS issued
                        FROM billing_entry GROUP BY 1) AS e ON e.document_id = d.id
           WHERE d.kind = 'invoice' AND (b.document_id IS NULL OR b.total <> d.total
              OR e.issued IS DISTINCT FROM d.total OR {_BALANCE})""",  # noqa: S608
    ),
    no_rows(
        "Every status is what the balance says.",
        """SELECT document_id FROM (
             SELECT *, paid - refunded - charged_back AS received, total - credited AS claim
               FROM billing_balance) AS b
           WHERE status <> 'void' AND status <> CASE WHEN received >= claim THEN 'paid'
             WHEN received > 0 THEN 'partially_paid' ELSE 'open' END""",
    ),
    no_rows(
        "Every coupon was redeemed as often as it counts, and no more than it may be.",
        """SELECT c.code FROM billing_coupon AS c
           LEFT JOIN (SELECT coupon_id, count(*) FILTER (WHERE releases_id IS NULL)
                             - count(releases_id) AS n
                        FROM billing_redemption GROUP BY 1) AS r ON r.coupon_id = c.id
           WHERE c.max_redemptions IS NOT NULL AND (c.redeemed > c.max_redemptions
              OR c.redeemed <> coalesce(r.n, 0))
           UNION ALL
           SELECT c.code FROM billing_couponcustomer AS m JOIN billing_coupon AS c
             ON c.id = m.coupon_id
           LEFT JOIN (SELECT coupon_id, customer_id, count(*) FILTER (WHERE releases_id IS NULL)
                             - count(releases_id) AS n
                        FROM billing_redemption GROUP BY 1, 2) AS r
             ON r.coupon_id = m.coupon_id AND r.customer_id = m.customer_id
           WHERE m.redeemed <> coalesce(r.n, 0)""",
    ),
    *payments.CHECKS,
    LedgerCheck("Every document's buyer is the one that it was issued to.", _parties),
)
