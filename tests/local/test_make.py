"""The supervisor under make, and beside that of another user."""

import os
import pwd
import shutil
import signal
import sys
import tempfile

import pytest

from tests.local.toy_site import (
    AS_ROOT,
    CHECKOUT,
    ELSEWHERE,
    FAMILY,
    WEB,
    MakeSite,
    Site,
    copy_for_everybody,
    gone,
    python_for,
)


def under_make(site: Site) -> Site:
    shutil.copy(CHECKOUT / "Makefile", site.folder)
    site.command = ["make", f"PYTHON={sys.executable}", "-o", ".venv/.installed", "run"]
    return site


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_the_end_of_make_is_the_end_of_everything(
    make_site: MakeSite, number: signal.Signals
) -> None:
    site = under_make(make_site(WEB + FAMILY))
    site.start(**ELSEWHERE)
    site.wait_for("The shop is running")
    everything = [site.process.pid, *site.pids()]
    assert len(everything) == 6
    site.process.send_signal(number)
    assert gone(everything[1:], 20)
    site.process.wait(5)


@AS_ROOT
def test_two_copies_of_two_users_run_side_by_side(make_site: MakeSite) -> None:
    nobody = pwd.getpwnam("nobody")
    ours = make_site(WEB)
    ours.start()
    with tempfile.TemporaryDirectory(prefix="shop-test-") as name:
        theirs = make_site(WEB, name)
        copy_for_everybody(theirs.folder)
        theirs.data_dir.mkdir()
        os.chown(theirs.data_dir, nobody.pw_uid, nobody.pw_gid)
        theirs.command[:1] = python_for(nobody)
        theirs.command += ["--prepare", "python3 manage.py"]
        theirs.start()
        for site in (ours, theirs):
            site.wait_for("The shop is running")
        everything = [*ours.pids(), *theirs.pids()]
        owners = {os.stat(f"/proc/{pid}").st_uid for pid in theirs.pids()}
        assert owners == {nobody.pw_uid}
        for site in (ours, theirs):
            site.process.terminate()
        for site in (ours, theirs):
            assert site.process.wait(10) == 0
        assert gone(everything, 1)
