from django.db import migrations

from shop.core.append_only import refuse_truncate


class Migration(migrations.Migration):
    dependencies = [("purchases", "0011_by_recorder"), ("events", "0004_follower_versions")]
    safe_because = {
        0: "A trigger on TRUNCATE concerns no write of either version. To make it, each table is"
        " locked against writers for a moment, within the lock timeout."
    }
    operations = [
        migrations.RunSQL(
            refuse_truncate("purchases_purchase", "events_event"),
            "DROP TRIGGER append_only_whole ON purchases_purchase;"
            " DROP TRIGGER append_only_whole ON events_event",
        )
    ]
