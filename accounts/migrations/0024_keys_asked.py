from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0023_ticket_ends")]

    operations = [
        migrations.AddField(
            model_name="token",
            name="asked",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
    ]
