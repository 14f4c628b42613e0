from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0022_refreshes")]

    operations = [
        migrations.AddField(
            model_name="liveticket",
            name="credential_ends_at",
            field=models.DateTimeField(null=True),
        ),
    ]
