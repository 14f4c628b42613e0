"""Lines of other programs come in, and ours go out to other systems."""

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from django.conf import settings
from django.core.management import call_command

from logs.models import Entry
from shop.core import logs

VECTOR = Path(settings.BASE_DIR) / "deploy" / "vector"


@pytest.mark.django_db(transaction=True)
def test_lines_of_nginx_and_postgres_are_lines_like_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    nginx = {
        "time": "2026-11-27T09:00:00+01:00", "request_id": "req-1", "method": "GET",
        "path": "/?ticket=q8Zcanary0Tt", "status": 502, "seconds": 0.1,
    }  # fmt: skip
    texts = {
        "nginx": [json.dumps(nginx), '2026/11/27 08:00:00 [warn] 7#7: "slow"', "\x1b[31m\xff", ""],
        "postgres": ["2026-11-27 08:00:00 UTC [42] ERROR:  relation is missing", "[1, 2]", "{"],
    }
    for part, lines in texts.items():
        stdin = io.TextIOWrapper(io.BytesIO("\n".join(lines).encode("latin-1")))
        monkeypatch.setattr("sys.stdin", stdin)
        call_command("ship_log", part=part, stdout=io.StringIO())
    rows = list(Entry.objects.all())
    assert sorted((row.part, row.level) for row in rows) == [
        ("nginx", logging.INFO), ("nginx", logging.WARNING), ("nginx", logging.ERROR),
        ("postgres", logging.INFO), ("postgres", logging.INFO), ("postgres", logging.ERROR),
    ]  # fmt: skip
    request = Entry.objects.get(request_id="req-1")
    assert request.at.isoformat() == "2026-11-27T08:00:00+00:00"
    assert request.event == "nginx.request"
    assert request.fields["path"] == "/?ticket=[redacted]"
    assert not any("\x1b" in row.message for row in rows)


def test_a_line_has_what_the_configurations_of_vector_read() -> None:
    """Vector itself is not here: this compares its configurations with our lines."""
    written = io.StringIO()
    formatter = logs.logging_config(json=True)["formatters"]["structured"]
    handler = logs.Stderr(written)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"]
    ))  # fmt: skip
    own = logging.Logger("shop.canary")
    own.addHandler(handler)
    ours: Any = structlog.wrap_logger(own, processors=structlog.get_config()["processors"])
    ours.warning("canary.sung", request_id="req-1", purchase_id="p-1")
    own.error("a foreign line")
    for line in written.getvalue().splitlines():
        event = json.loads(line)
        assert line.isascii()
        assert {"timestamp", "level", "logger", "event"} <= set(event)
        # Graylog takes no field of this name, and Loki no label of an id.
        assert "id" not in event
        assert event["level"] in ("warning", "error")
    files = {path.stem: yaml.safe_load(path.read_text()) for path in VECTOR.glob("*.yaml")}
    assert set(files) == {"shop", "loki", "opensearch", "graylog"}
    known = set(files["shop"]["sources"])
    for name in ("shop", "loki", "opensearch", "graylog"):
        transforms = files[name].get("transforms", {})
        for each in [*transforms.values(), *files[name].get("sinks", {}).values()]:
            assert set(each["inputs"]) <= known | set(transforms), name
        if name == "shop":
            known |= set(transforms)
            continue
        (sink,) = files[name]["sinks"].values()
        # A server that is away stops neither the shop nor Vector.
        assert sink["buffer"]["type"] == "disk"
        assert sink["buffer"]["when_full"] == "drop_newest"
    assert set(files["loki"]["sinks"]["loki"]["labels"]) == {"app", "part", "level"}
