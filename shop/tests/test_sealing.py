"""What is sealed can be read with its key, for its account and column, and by nothing else."""

from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from shop.core import env, sealing
from shop.core.sealing import SealedColumn, Unsealable, derive, seal, unseal

K1, K2 = b"1" * 32, b"2" * 32
COLUMNS = [
    SealedColumn(name="toy.secret", table="sealed_toy", column="secret"),
    SealedColumn(name="toy.data.seed", table="sealed_toy", column="data", member="seed"),
]


@pytest.fixture
def keys(settings: Any) -> Any:
    def use(**keys: bytes) -> None:
        settings.DATA_KEYS = keys

    use(k1=K1)
    return use


def test_a_sealed_text_opens_for_its_account_and_column_only(keys: Any, settings: Any) -> None:
    text = "geheim|\0 ü".encode()
    sealed = seal(text, account=7, column="toy.secret")
    assert seal(text, account=7, column="toy.secret") != sealed
    assert sealed.startswith("v1|k1|")
    assert unseal(sealed, account=7, column="toy.secret") == text
    assert unseal(seal(b"", account="x", column="c"), account="x", column="c") == b""
    settings.SECRET_KEY = "another" * 10
    assert unseal(sealed, account=7, column="toy.secret") == text
    head, key_id, nonce, data, tag = sealed.split("|")
    changed = [
        "|".join([head, key_id, nonce, data, tag[::-1].lstrip("=") + "=="]),
        "|".join([head, key_id, "A" * 16, data, tag]),
        "|".join([head, key_id, nonce, "AAAA" + data[4:], tag]),
        "|".join(["v2", key_id, nonce, data, tag]),
        "|".join([head, "k9", nonce, data, tag]),
        sealed + "\n",
        text.decode(),
        "",
    ]
    for other in changed:
        with pytest.raises(Unsealable):
            unseal(other, account=7, column="toy.secret")
    for account, column in ((8, "toy.secret"), (7, "toy.other")):
        with pytest.raises(Unsealable):
            unseal(sealed, account=account, column=column)
    keys(k2=K2, k1=K1)
    assert unseal(sealed, account=7, column="toy.secret") == text
    keys(k1=K2)
    with pytest.raises(Unsealable):
        unseal(sealed, account=7, column="toy.secret")


def test_each_purpose_and_key_has_secrets_of_its_own(keys: Any) -> None:
    keys(k2=K2, k1=K1)
    assert derive("jwt") == derive("jwt", "k2")
    assert len({derive("jwt", "k1"), derive("jwt", "k2"), derive("seal", "k1"), K1, K2}) == 5
    with pytest.raises(Unsealable, match="k9"):
        derive("jwt", "k9")


@pytest.fixture
def toys(db: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sealing, "sealed_columns", lambda: COLUMNS)
    monkeypatch.setattr(sealing, "BATCH", 2)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE sealed_toy (id int PRIMARY KEY, user_id int, secret text, data jsonb)"
        )
        yield cursor


def test_keys_are_rotated_beside_running_processes(keys: Any, toys: Any) -> None:
    old_process, new_process = {"k1": K1, "k2": K2}, {"k2": K2, "k1": K1}
    keys(**old_process)
    for row in range(5):
        secret = seal(f"secret {row}".encode(), account=row, column="toy.secret")
        seed = seal(f"seed {row}".encode(), account=row, column="toy.data.seed")
        toys.execute(
            "INSERT INTO sealed_toy VALUES (%s, %s, %s, jsonb_build_object('seed', %s, 'used', 3))",
            [row, row, secret, seed],
        )
    toys.execute("INSERT INTO sealed_toy VALUES (9, 9, '', '{}'), (10, 10, NULL, NULL)")

    def read() -> list[str]:
        toys.execute("SELECT id, secret, data->>'seed' FROM sealed_toy WHERE id < 5 ORDER BY id")
        return [
            (
                unseal(secret, account=row, column="toy.secret")
                + unseal(seed, account=row, column="toy.data.seed")
            ).decode()
            for row, secret, seed in toys.fetchall()
        ]

    expected = [f"secret {row}seed {row}" for row in range(5)]
    keys(**new_process)
    # The run is killed after its first batch; processes with either list read everything.
    assert next(sealing.reseal()) == ("toy.secret", 2)
    for running in (old_process, new_process):
        keys(**running)
        assert read() == expected
    keys(**new_process)
    said = StringIO()
    call_command("rotate_data_keys", stdout=said)
    assert "Sealed 3 of toy.secret anew." in said.getvalue()
    assert "Everything is sealed with k2." in said.getvalue()
    keys(k2=K2)
    assert read() == expected
    sealing.require_keys()
    # Without a key that rows name, nothing begins, and one line says which it is.
    keys(k3=K1)
    for command in ("prepare_database", "rotate_data_keys"):
        with pytest.raises(CommandError, match=r"\ADATA_KEYS lacks the key k2, .*toy.secret\.\Z"):
            call_command(command, stdout=StringIO())
    # A row that was moved to another account is named, and stops the rotation.
    keys(k3=K1, k2=K2)
    toys.execute("UPDATE sealed_toy SET user_id = 1 WHERE id = 0")
    with pytest.raises(CommandError, match=r"toy\.secret of row 0"):
        call_command("rotate_data_keys", stdout=StringIO())


def test_malformed_keys_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    good = "k1:" + "A" * 43 + "="
    short, again = "k1:AAAA", f"{good},{good}"
    for value in (short, again, good.upper(), good[3:], good + ",", "k1:" + "!" * 44):
        monkeypatch.setenv("DATA_KEYS", value)
        with pytest.raises(ImproperlyConfigured, match="DATA_KEYS must be keys such as k1:"):
            env.data_keys("DATA_KEYS")
    monkeypatch.setenv("DATA_KEYS", f" {good}, k0:{good[3:]}")
    assert env.data_keys("DATA_KEYS") == {"k1": bytes(32), "k0": bytes(32)}
