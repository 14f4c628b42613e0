"""What the tables of billing hold."""

from django.utils.translation import gettext_lazy as _

from billing.parties.keeping import PAST_KEEPING
from shop.core.columns import Table, nobody, personal, plain, secret

_INVOICED = _("Your invoices and credit notes, which the law asks the shop to keep.")
_OF_DOCUMENT = "t.document_id IN (SELECT id FROM billing_document WHERE customer_id = %(account)s)"

TABLES = (
    Table(
        "billing_refund",
        _("Money that was paid back to you, or is to be."),
        plain(
            "id payment_id document_id customer_id created_by_id provider external_id currency"
            " amount created_at status sent_at claimed_at attempts next_attempt_at settled_at"
        ),
        personal("reason failure", erased="''"),
        about="t.customer_id = %(account)s",
        section="refunds",
    ),
    Table(
        "billing_chargeback",
        _("Payments of yours that a bank took back."),
        plain(
            "id payment_id document_id customer_id created_by_id provider external_id currency"
            " amount created_at status by_provider reference opened_on settled_at next_attempt_at"
        ),
        personal("reason", erased="''"),
        about="t.customer_id = %(account)s",
        section="chargebacks",
    ),
    Table(
        "billing_payment",
        _("Your payments, and those that you began."),
        plain(
            "id document_id customer_id created_by_id provider external_id currency amount"
            " created_at status received reference session_id paid_on settled_at next_attempt_at"
        ),
        secret("action", erased="'{}'"),
        about="t.customer_id = %(account)s",
        section="payments",
    ),
    # Who paid is here only while nobody knows for whom.
    nobody(
        "billing_bankcredit",
        "id identity account bank_reference booked_on currency amount reference text payer status"
        " why reason payment_id imported_by_id created_at",
    ),
    nobody("billing_providerevent", "id provider event_id kind facts waits_for received_at"),
    nobody("billing_series", "code kind year generation next_number last_hash last_issued_on"),
    Table(
        "billing_draft",
        _("Invoices that are not issued yet."),
        plain("id customer_id currency request content created_by_id created_at"),
        about="t.customer_id = %(account)s",
        section="invoice_drafts",
        deletes=True,
    ),
    Table(
        "billing_document",
        _INVOICED,
        plain(
            "id series number label kind corrects_id customer_id issued_by_id currency exponent"
            " issued_on issued_at due_on prices_include_tax net tax total canonical previous_hash"
            " hash previous"
        ),
        about="t.customer_id = %(account)s",
        section="invoices",
    ),
    Table(
        "billing_line",
        _INVOICED,
        plain(
            "id document_id position purchase text quantity price gross discount net tax_category"
            " tax_rate credits_id"
        ),
        about=_OF_DOCUMENT,
        section="invoice_lines",
    ),
    Table(
        "billing_tax",
        _INVOICED,
        plain("id document_id category rate net tax"),
        about=_OF_DOCUMENT,
        section="invoice_taxes",
    ),
    Table(
        "billing_claim",
        _("Which invoice each of your purchases is on."),
        plain("purchase document_id"),
        about=_OF_DOCUMENT,
        section="invoiced_purchases",
    ),
    Table(
        "billing_balance",
        _("What is still owed on your invoices."),
        plain(
            "document_id customer_id status currency due_on total credited paid refunded"
            " charged_back"
        ),
        about="t.customer_id = %(account)s",
        section="invoice_balances",
    ),
    Table(
        "billing_entry",
        _("What was invoiced, credited, paid and refunded."),
        plain("id document_id kind source amount at"),
        about=_OF_DOCUMENT,
        section="invoice_entries",
    ),
    Table(
        "billing_profile",
        _("The name and address that your invoices show."),
        plain("account_id vat_check vat_checked_at vat_next_check_at vat_check_until"),
        personal("name address country vat_id"),
        about="t.account_id = %(account)s",
        section="billing_profile",
        deletes=True,
    ),
    Table(
        "billing_party",
        _("The name and address on your invoices, sealed for as long as the law asks for them."),
        plain("document_id account_id"),
        secret("sealed"),
        about=f"t.account_id = %(account)s AND {PAST_KEEPING}",
        deletes=True,
    ),
    Table(
        "billing_redemption",
        _("The coupons that you redeemed."),
        plain("id coupon_id customer_id document_id purchase amount releases_id at"),
        about="t.customer_id = %(account)s",
        section="redeemed_coupons",
    ),
    Table(
        "billing_couponcustomer",
        _("How many times you redeemed a coupon."),
        plain("id coupon_id customer_id redeemed"),
        about="t.customer_id = %(account)s",
        section="coupon_counts",
    ),
    Table(
        "billing_coupon",
        _("Coupons that are for you alone."),
        plain(
            "id code percent amount currency starts_at ends_at max_redemptions max_per_customer"
            " customer_id minimum items active redeemed created_by_id created_at"
        ),
        about="t.customer_id = %(account)s",
        section="coupons",
    ),
    nobody("billing_taxrate", "id code category rate valid_from exemption created_at"),
    nobody("billing_itemtax", "id item code"),
    nobody(
        "billing_run",
        "id requested_by_id until issue send status reached invoices failed sent unsent failures"
        " created_at finished_at attempts next_attempt_at",
    ),
    Table(
        "billing_runinvoice",
        _("Which of your invoices were issued together with those of others."),
        plain("document_id run_id waits"),
        about=_OF_DOCUMENT,
        section="invoices_of_runs",
    ),
)
