"""The ledger only grows: the database itself refuses to change or delete what is recorded."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION purchases_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The ledger only grows: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'Correct a purchase by a new entry.';
END
$$;
CREATE TRIGGER purchases_purchase_append_only BEFORE UPDATE OR DELETE ON purchases_purchase
    FOR EACH ROW EXECUTE FUNCTION purchases_refuse_change();
CREATE TRIGGER purchases_event_kept BEFORE DELETE ON purchases_event
    FOR EACH ROW EXECUTE FUNCTION purchases_refuse_change();
CREATE TRIGGER purchases_event_numbered_once BEFORE UPDATE ON purchases_event
    FOR EACH ROW
    WHEN (old.position IS NOT NULL OR new.position IS NULL
          OR new.purchase_id <> old.purchase_id OR new.customer_id <> old.customer_id)
    EXECUTE FUNCTION purchases_refuse_change();
"""

BACKWARD = """
DROP TRIGGER purchases_event_numbered_once ON purchases_event;
DROP TRIGGER purchases_event_kept ON purchases_event;
DROP TRIGGER purchases_purchase_append_only ON purchases_purchase;
DROP FUNCTION purchases_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("purchases", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
    safe_because = {
        0: "CREATE TRIGGER reads no row, and no version has ever changed or deleted a purchase."
    }
