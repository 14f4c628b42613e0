"""Accounts, purchases, a mail server and real worker processes for the report tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings as django_settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from accounts.models import User
from purchases.models import Purchase
from tests.smtp import SMTPServer, smtp_server


def make_user(name: str, *, verified: bool = True, **fields: Any) -> User:
    user = User.objects.create(username=name, email=f"{name}@example.com", **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=verified, primary=True)
    return user


def buy(user: User, *, count: int = 3, price: str = "1195.30", currency: str = "EUR") -> Decimal:
    """Put purchases of May 2024 into the ledger; return their totals."""
    start = datetime(2024, 5, 1, tzinfo=UTC)
    Purchase.objects.bulk_create(
        Purchase(
            customer=user,
            recorded_by=user,
            item=f"book {number}",
            quantity=2,
            price=Decimal(price),
            currency=currency,
            timestamp=start + timedelta(seconds=number),
            dedupe_key=uuid4(),
        )
        for number in range(count)
    )
    return Decimal(price) * 2 * count


def kept_in(folder: Path) -> dict[str, Any]:
    """Return the storage of documents in a folder, as the settings describe it."""
    return {
        "BACKEND": "documents.storage.DocumentStorage",
        "OPTIONS": {"kind": "file", "location": str(folder), "s3": {}},
    }


def wait_until(condition: Callable[[], Any], seconds: float = 30.0, every: float = 0.05) -> Any:
    """Return the condition's first true value; fail where there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(every)
    raise AssertionError("It did not happen in time.")


class Worker:
    """`celery worker` in a process group of its own, on the test's database."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "shop", "worker", "--concurrency", "1"],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        self.process.wait(20)


@pytest.fixture
def joe(db: Any) -> User:
    return make_user("joe", userid="005")


@pytest.fixture
def ann(db: Any) -> User:
    return make_user("ann", userid="006")


@pytest.fixture
def staff(db: Any) -> User:
    return make_user("boss", is_staff=True)


@pytest.fixture
def mail_server() -> Iterator[SMTPServer]:
    with smtp_server() as server:
        yield server


@pytest.fixture
def deployment(settings: Any, tmp_path: Path, mail_server: SMTPServer) -> dict[str, str]:
    """Let this process and the workers share storage and mail server, with short delays."""
    short = {
        "REPORTS_CLAIM_SECONDS": "2",
        "REPORTS_SENDING_SECONDS": "2",
        "REPORTS_SWEEP_SECONDS": "1",
        "REPORTS_RETRY_SECONDS": "1",
    }
    for name, value in short.items():
        setattr(settings, name.replace("REPORTS", "DOCUMENT"), int(value))
    storages = dict(django_settings.STORAGES)
    storages["default"] = kept_in(tmp_path / "stored")
    settings.STORAGES = storages
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_server.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_TIMEOUT = 2
    database = connection.settings_dict
    return {
        **os.environ,
        **short,
        "DATABASE_URL": make_conninfo(
            dbname=database["NAME"],
            user=database["USER"],
            password=database["PASSWORD"],
            host=database["HOST"],
            port=database["PORT"],
        ),
        "ENVIRONMENT": "development",
        "REPORTS_DIR": str(tmp_path / "stored"),
        "DATA_DIR": str(tmp_path),
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(mail_server.port),
        "EMAIL_USE_TLS": "false",
    }


@pytest.fixture
def start_worker(
    transactional_db: Any, deployment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[[], Worker]]:
    workers: list[Worker] = []

    def start() -> Worker:
        workers.append(Worker(deployment, tmp_path / f"worker-{len(workers)}.log"))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
