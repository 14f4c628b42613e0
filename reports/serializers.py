"""The shapes of the report API."""

from typing import Any

from rest_framework import serializers

from accounts.models import USERID_MAX_LENGTH
from reports.models import Report


class ReportInputSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=Report.Kind.choices)
    since = serializers.DateField(help_text="First day of the period, in UTC.")
    until = serializers.DateField(help_text="Last day of the period, in UTC.")
    customer = serializers.CharField(
        required=False,
        max_length=USERID_MAX_LENGTH,
        help_text="The userid that a `customer_statement` is about. Other kinds have none.",
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("customer" in given) != (given["kind"] == Report.Kind.CUSTOMER):
            detail = "Only a customer_statement has a customer, and it needs one."
            raise serializers.ValidationError({"customer": detail})
        return given


class ReportSerializer(serializers.ModelSerializer[Report]):
    username = serializers.CharField(
        source="requested_by.username", help_text="The account that requested it."
    )
    userid = serializers.CharField(source="requested_by.userid")
    kind = serializers.ChoiceField(choices=Report.Kind.choices, read_only=True)
    since = serializers.DateField(read_only=True)
    until = serializers.DateField(read_only=True)
    status = serializers.ChoiceField(
        source="public_status", choices=["queued", "rendering", "ready", "sent", "failed"]
    )
    pdf = serializers.SerializerMethodField(help_text="The path of the PDF, once it is ready.")
    error = serializers.CharField(
        help_text="The reason of a failure, also of the last attempt; else empty."
    )

    class Meta:
        model = Report
        fields = [
            "id",
            "kind",
            "username",
            "userid",
            "status",
            "since",
            "until",
            "created_at",
            "emailed_at",
            "pdf",
            "error",
        ]
        read_only_fields = fields

    def get_pdf(self, report: Report) -> str | None:
        return f"/api/v1/reports/{report.pk}/pdf/" if report.is_stored else None
