"""What must hold of payments, refunds and chargebacks, beside the entries that they made."""

from shop.core.ledger import no_rows

_MOVED = """SELECT source, sum(amount) FILTER (WHERE kind = '{forth}') AS forth,
                   coalesce(sum(amount) FILTER (WHERE kind = '{back}'), 0) AS back
              FROM billing_entry WHERE kind IN ('{forth}', '{back}') GROUP BY 1"""
_PAID = _MOVED.format(forth="paid", back="payment_reversed")
_REFUNDED = _MOVED.format(forth="refunded", back="refund_reversed")
_CHARGED_BACK = _MOVED.format(forth="charged_back", back="chargeback_reversed")

CHECKS = (
    no_rows(
        "Every payment that succeeded moved its balance by what was received, and no other did.",
        f"""SELECT coalesce(p.id, e.source) FROM billing_payment AS p
            FULL JOIN ({_PAID}) AS e ON e.source = p.id
            WHERE p.id IS NULL OR coalesce(e.forth - e.back, 0) <>
              CASE WHEN p.status = 'succeeded' THEN p.received ELSE 0 END""",  # noqa: S608
    ),
    no_rows(
        "Every refund that did not fail took its amount, and one that failed took nothing.",
        f"""SELECT coalesce(r.id, e.source) FROM billing_refund AS r
            FULL JOIN ({_REFUNDED}) AS e ON e.source = r.id
            WHERE r.id IS NULL OR coalesce(e.forth - e.back, 0) <>
              CASE WHEN r.status IN ('requested', 'submitted', 'unknown', 'succeeded')
                   THEN r.amount ELSE 0 END""",  # noqa: S608
    ),
    no_rows(
        "Every chargeback that is open or lost took its amount, and no other did.",
        f"""SELECT coalesce(c.id, e.source) FROM billing_chargeback AS c
            FULL JOIN ({_CHARGED_BACK}) AS e ON e.source = c.id
            WHERE c.id IS NULL OR coalesce(e.forth - e.back, 0) <>
              CASE WHEN c.status IN ('opened', 'lost') THEN c.amount ELSE 0 END""",  # noqa: S608
    ),
    no_rows(
        "Every credit of a bank statement that is booked is a payment of the same money.",
        """SELECT c.id FROM billing_bankcredit AS c
             JOIN billing_payment AS p ON p.id = c.payment_id
            WHERE p.status <> 'succeeded' OR p.received <> c.amount OR p.currency <> c.currency""",
    ),
    no_rows(
        "Every payment, refund and chargeback is of its invoice, customer and currency.",
        """SELECT m.id FROM (
             SELECT id, document_id, customer_id, currency, document_id AS paid FROM billing_payment
             UNION ALL
             SELECT r.id, r.document_id, r.customer_id, r.currency, p.document_id
               FROM billing_refund AS r JOIN billing_payment AS p ON p.id = r.payment_id
             UNION ALL
             SELECT c.id, c.document_id, c.customer_id, c.currency, p.document_id
               FROM billing_chargeback AS c JOIN billing_payment AS p ON p.id = c.payment_id) AS m
           JOIN billing_document AS d ON d.id = m.document_id
           WHERE d.kind <> 'invoice' OR m.paid <> m.document_id OR m.currency <> d.currency
              OR m.customer_id <> d.customer_id""",
    ),
)
