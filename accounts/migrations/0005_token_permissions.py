from django.db import migrations


class Migration(migrations.Migration):
    """What a token may do, as a mask. Knox's model is not ours, so this is SQL."""

    dependencies = [
        ("accounts", "0004_permissions"),
        ("knox", "0009_extend_authtoken_field"),
    ]
    safe_because = {0: "The default is a constant, so that no row is written."}

    operations = [
        migrations.RunSQL(
            "ALTER TABLE knox_authtoken ADD COLUMN permissions bigint NOT NULL DEFAULT -1",
            "ALTER TABLE knox_authtoken DROP COLUMN permissions",
        )
    ]
