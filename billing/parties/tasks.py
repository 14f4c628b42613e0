"""The workers' task of VAT ids."""

from celery import shared_task

from billing.parties.checking import vat_ids_check


@shared_task(name="billing.check_vat_ids")
def check_vat_ids() -> None:
    """Ask VIES about the VAT ids that are due. The task can run twice."""
    vat_ids_check()
