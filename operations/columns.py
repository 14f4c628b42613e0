"""What the tables of the operating figures hold."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Table, nobody, plain

TABLES = (
    nobody(
        "operations_instance",
        "id kind host pid version started_at seen_at stopped_at sockets memory dropped totals",
        hidden="settings_version users",
    ),
    nobody(
        "operations_minute",
        "minute instance_id run route status_class requests seconds numbers counts",
    ),
    nobody("operations_presence", "minute instance_id kind sockets", hidden="users"),
    nobody("operations_hour", "hour route status_class requests seconds numbers counts"),
    nobody("operations_observedhour", "hour minutes users instances signed_in signed_out"),
    Table(
        "operations_sessionevent",
        _("When you signed in and out, for some months, so that the shop can count it."),
        plain("at id kind user_id channel"),
        about="t.user_id = %(account)s",
        section="sign_ins_and_outs",
    ),
    nobody("operations_deploy", "id version started_at finished_at by notes"),
)
