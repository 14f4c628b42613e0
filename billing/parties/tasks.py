"""The workers' tasks of parties: VAT ids, and what need not be kept any more."""

import structlog
from celery import shared_task

from billing.parties.checking import vat_ids_check
from billing.parties.keeping import parties_purge

logger = structlog.get_logger(__name__)


@shared_task(name="billing.check_vat_ids")
def check_vat_ids() -> None:
    """Ask VIES about the VAT ids that are due. The task can run twice."""
    vat_ids_check()


@shared_task(name="billing.parties_purge")
def purge() -> None:
    """Delete the buyers of erased accounts whose time is over."""
    logger.info("parties.purged", parties=parties_purge())
