"""The shapes of runs in the API."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from accounts.models import User
from billing.invoices.serializers import DAY_OR_MOMENT, DayOrMomentField
from billing.runs.models import Run
from shop.core.bodies import Body
from shop.core.times import iso


class RunRequestSerializer(Body):
    until = DayOrMomentField(help_text=DAY_OR_MOMENT)
    issue = serializers.BooleanField(default=True, help_text="Else drafts are made.")
    send = serializers.BooleanField(default=False, help_text="Mail each invoice that is issued.")


class FailureSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    userid = serializers.CharField()
    currency = serializers.CharField()
    code = serializers.CharField(help_text="As `too_many_lines`, or `email_not_verified`.")


class RunSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Run.Status.choices)
    until = serializers.CharField()
    issue = serializers.BooleanField()
    send = serializers.BooleanField()
    invoices = serializers.IntegerField(help_text="Issued, or drafted where `issue` is false.")
    failed = serializers.IntegerField(help_text="Customers and currencies without an invoice.")
    sent = serializers.IntegerField()
    unsent = serializers.IntegerField()
    failures = FailureSerializer(many=True, help_text="The first hundred.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


def runs_data(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return runs as the API shows them. One query."""
    customers = User.objects.in_bulk(
        {failure["customer"] for run in runs for failure in run.failures}
    )
    return [
        {
            "id": str(run.pk),
            "status": run.status,
            "until": run.until,
            "issue": run.issue,
            "send": run.send,
            "invoices": run.invoices,
            "failed": run.failed,
            "sent": run.sent,
            "unsent": run.unsent,
            "failures": [
                {
                    "username": customers[failure["customer"]].username,
                    "userid": customers[failure["customer"]].userid,
                    "currency": failure["currency"],
                    "code": failure["code"],
                }
                for failure in run.failures
            ],
            "created_at": iso(run.created_at),
            "finished_at": run.finished_at and iso(run.finished_at),
        }
        for run in runs
    ]
