import pytest
from accounts.models import User
from reports.models import Report
from reports.tests.conftest import make_user
@pytest.mark.django_db
def test_a(client, monkeypatch):
    from shop.celery import app
    monkeypatch.setattr(app,"send_task",lambda *a,**k:None)
    u=make_user("root",is_staff=True,is_superuser=True); client.force_login(u)
    r=Report.objects.create(requested_by=u,kind="sales",since="2024-01-01",until="2024-01-02",status="failed",error="x")
    r.refresh_from_db()
    p=client.get("/admin/reports/report/"); assert p.status_code==200 and b"queue_again" in p.content
    p=client.post("/admin/reports/report/",{"action":"queue_again","_selected_action":[str(r.pk)]}); assert p.status_code==302
    assert Report.objects.get().status=="queued"
    assert client.get(f"/admin/reports/report/{r.pk}/change/").status_code==200
