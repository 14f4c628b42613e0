from django.db import migrations, models

from shop.core.locking import AddIndexConcurrently


class Migration(migrations.Migration):
    """The client program that recorded an event for somebody else, and reads it too."""

    # An index that is built beside the running site cannot be built inside a transaction.
    atomic = False
    dependencies = [("events", "0002_follower_cursor")]
    safe_because = {
        1: "The version before has no such tables; they are made in the same deploy.",
        2: "The same.",
    }
    operations = [
        migrations.AddField("outbox", "recorder_id", models.BigIntegerField(null=True)),
        migrations.AddField("event", "recorder_id", models.BigIntegerField(null=True)),
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                condition=models.Q(("recorder_id__isnull", False)),
                fields=["recorder_id", "position"],
                name="events_by_recorder",
            ),
        ),
    ]
