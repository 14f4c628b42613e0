"""The table of reports becomes that of documents, in Django's state only.

``reports`` created the table, and drops the model in its next migration. The previous version keeps
using the table meanwhile.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import shop.core.ids


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("reports", "0002_retention"),
    ]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Document",
                    fields=[
                        ("id", models.UUIDField(db_default=shop.core.ids.UUIDv7(), editable=False, primary_key=True, serialize=False)),
                        ("kind", models.CharField(max_length=20)),
                        ("since", models.DateField()),
                        ("until", models.DateField()),
                        ("status", models.CharField(choices=[("queued", "Queued"), ("rendering", "Rendering"), ("ready", "Ready"), ("sending", "Sending"), ("sent", "Sent"), ("failed", "Failed")], default="queued", max_length=20)),
                        ("error", models.CharField(blank=True, max_length=500)),
                        ("idempotency_key", models.CharField(max_length=255, null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("claim", models.UUIDField(null=True)),
                        ("claimed_at", models.DateTimeField(null=True)),
                        ("attempts", models.PositiveSmallIntegerField(default=0)),
                        ("mail_attempts", models.PositiveSmallIntegerField(default=0)),
                        ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("rendered_at", models.DateTimeField(null=True)),
                        ("emailed_at", models.DateTimeField(null=True)),
                        ("file", models.CharField(blank=True, db_column="pdf", max_length=200)),
                        ("pages", models.PositiveIntegerField(null=True)),
                        ("size", models.PositiveBigIntegerField(null=True)),
                        ("sha256", models.CharField(blank=True, max_length=64)),
                        ("removed_at", models.DateTimeField(null=True)),
                        ("requested_by", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="documents", to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        "db_table": "reports_report",
                        "ordering": ["-created_at", "-id"],
                        "indexes": [
                            models.Index(fields=["requested_by", "created_at", "id"], name="reports_by_requester"),
                            models.Index(fields=["created_at", "id"], name="reports_by_time"),
                            models.Index(condition=models.Q(("status__in", ["sent", "failed"]), _negated=True), fields=["next_attempt_at"], name="reports_unfinished"),
                            models.Index(condition=models.Q(("status", "rendering")), fields=["requested_by"], name="reports_rendering"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("requested_by", "idempotency_key"), name="reports_idempotency"),
                            models.CheckConstraint(condition=models.Q(("since__lte", models.F("until"))), name="reports_period"),
                        ],
                    },
                ),
            ],
        ),
    ]
