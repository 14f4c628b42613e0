"""How the Procfile is read."""

from pathlib import Path

import pytest

from shop.local.processes import StartError
from shop.local.procfile import expand, read_procfile


def test_the_procfile_is_split_without_a_shell(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_text("# comment\n\nweb: serve '--name=a b' --port $PORT ${DATA_DIR}/x\n")
    commands = read_procfile(path)
    assert list(commands) == ["web"]
    values = {"PORT": "80", "DATA_DIR": "/a b"}
    assert expand(commands["web"], values) == ["serve", "--name=a b", "--port", "80", "/a b/x"]
    with pytest.raises(StartError, match=r"\$PORT, which is not set"):
        expand(commands["web"], {})


@pytest.mark.parametrize("text", ["web serve", "web: a\nweb: b", "a b: c"])
def test_a_malformed_procfile_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "Procfile").write_text(text)
    with pytest.raises(StartError, match="`name: command` is expected"):
        read_procfile(tmp_path / "Procfile")
