"""What `make run` says if it cannot start: what is wrong, and what to do."""

import socket
from pathlib import Path
from typing import Any

import pytest

from shop.local.processes import EmbeddedError, StartError, said
from shop.local.server import make_data_dir
from shop.local.supervisor import check_port


def test_a_port_that_only_root_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(socket.socket):
        def bind(self, address: Any) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shop.local.supervisor.socket.socket", Closed)
    with pytest.raises(StartError, match=r"port 80 is not for you: .* make run PORT=8001"):
        check_port(80)


@pytest.mark.parametrize("below", [".", "data"])
def test_a_file_in_the_place_of_the_data_folder(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(EmbeddedError, match=r"/file(/data)? is no folder; .* DATA_DIR="):
        make_data_dir(file / below)


def test_errors_of_the_system_have_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        (tmp_path / "missing" / "x").touch()
    assert said(caught.value) == f"{tmp_path}/missing/x: No such file or directory"
    assert said(EmbeddedError("It is.")) == "It is."
