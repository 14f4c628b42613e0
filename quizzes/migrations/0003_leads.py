"""Leads, their consents, their links and their mails."""

import django.db.models.deletion
import django.db.models.functions.datetime
import shop.core.ids
from django.db import migrations, models

from shop.core.append_only import AppendOnly

# A consent is confirmed once and withdrawn once.
ONCE = """
CREATE TRIGGER quizzes_consent_once BEFORE UPDATE OF confirmed_at, withdrawn_at ON quizzes_consent
FOR EACH ROW WHEN (
    (OLD.confirmed_at IS NOT NULL AND NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at)
    OR (OLD.withdrawn_at IS NOT NULL AND NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at)
) EXECUTE FUNCTION shop_refuse_change();
"""


class Migration(migrations.Migration):

    safe_because = {18: "The table is new, so nobody waits for it."}
    dependencies = [
        ('quizzes', '0002_funnel'),
    ]

    operations = [
        migrations.CreateModel(
            name='ConsentText',
            fields=[
                ('sha256', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('language', models.CharField(max_length=12)),
                ('text', models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name='IndexKey',
            fields=[
                ('company', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='quizzes.company')),
                ('key', models.CharField(max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name='Lead',
            fields=[
                ('id', models.UUIDField(db_default=shop.core.ids.UUIDv7(), editable=False, primary_key=True, serialize=False)),
                ('email_index', models.BinaryField(max_length=32)),
                ('key', models.CharField(blank=True, max_length=200)),
                ('email', models.BinaryField(max_length=400, null=True)),
                ('name', models.BinaryField(max_length=600, null=True)),
                ('state', models.CharField(choices=[('new', 'New'), ('confirmed', 'Confirmed'), ('withdrawn', 'Withdrawn'), ('erased', 'Erased')], default='new', max_length=10)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('withdrawn_at', models.DateTimeField(null=True)),
                ('erased_at', models.DateTimeField(null=True)),
                ('company', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='leads', to='quizzes.company')),
            ],
            options={
                'ordering': ['-created_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purpose', models.CharField(max_length=40)),
                ('given_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('withdrawn_at', models.DateTimeField(null=True)),
                ('result', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quizzes.result')),
                ('text', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quizzes.consenttext')),
                ('lead', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='consents', to='quizzes.lead')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='LeadMail',
            fields=[
                ('document', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=20)),
                ('counted', models.BooleanField(default=False)),
                ('address', models.CharField(blank=True, default='', max_length=64)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('company', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quizzes.company')),
                ('lead', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='mails', to='quizzes.lead')),
                ('quiz', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quizzes.quiz')),
                ('result', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quizzes.result')),
            ],
        ),
        migrations.CreateModel(
            name='LeadResult',
            fields=[
                ('result', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='contact', serialize=False, to='quizzes.result')),
                ('given_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('lead', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='results', to='quizzes.lead')),
            ],
        ),
        migrations.CreateModel(
            name='MailToken',
            fields=[
                ('sha256', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('purpose', models.CharField(choices=[('confirm', 'Confirm'), ('result', 'Result'), ('leave', 'Leave')], max_length=10)),
                ('expires_at', models.DateTimeField()),
                ('lead', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quizzes.lead')),
                ('result', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quizzes.result')),
            ],
        ),
        migrations.AddIndex(
            model_name='lead',
            index=models.Index(fields=['company', 'created_at', 'id'], name='quizzes_leads_by_company'),
        ),
        migrations.AddIndex(
            model_name='lead',
            index=models.Index(condition=models.Q(('state', 'new')), fields=['created_at'], name='quizzes_leads_unconfirmed'),
        ),
        migrations.AddIndex(
            model_name='lead',
            index=models.Index(condition=models.Q(('state', 'erased'), _negated=True), fields=['company', 'seen_at'], name='quizzes_leads_kept'),
        ),
        migrations.AddConstraint(
            model_name='lead',
            constraint=models.UniqueConstraint(fields=('company', 'email_index'), name='quizzes_lead_once'),
        ),
        migrations.AddConstraint(
            model_name='lead',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('email', None), ('key', ''), ('name', None), ('state', 'erased')), models.Q(models.Q(('state', 'erased'), _negated=True), models.Q(('key', ''), _negated=True)), _connector='OR'), name='quizzes_lead_erased'),
        ),
        migrations.AddConstraint(
            model_name='consent',
            constraint=models.UniqueConstraint(fields=('result', 'lead', 'purpose', 'text'), name='quizzes_consent_once'),
        ),
        migrations.AddIndex(
            model_name='leadmail',
            index=models.Index(condition=models.Q(('counted', True)), fields=['company', 'created_at'], name='quizzes_mails_by_company'),
        ),
        migrations.AddIndex(
            model_name='leadmail',
            index=models.Index(condition=models.Q(('address', ''), _negated=True), fields=['address', 'created_at'], name='quizzes_mails_by_address'),
        ),
        migrations.AddIndex(
            model_name='mailtoken',
            index=models.Index(fields=['expires_at'], name='quizzes_tokens_by_end'),
        ),
        AppendOnly("ConsentText"),
        AppendOnly("Consent", erasable=("confirmed_at", "withdrawn_at")),
        migrations.RunSQL(ONCE, "DROP TRIGGER quizzes_consent_once ON quizzes_consent"),
    ]
