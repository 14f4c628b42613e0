from celery import shared_task


@shared_task(name="toys.wind")
def wind() -> None:
    """Wind all toys up."""
