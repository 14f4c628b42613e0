"""Creditor references of ISO 11649."""

import pytest
from stdnum import iso11649

from billing.reference import reference_of


def test_a_number_has_one_reference() -> None:
    assert reference_of("INV-2026-000123") == "RF98INV2026000123"
    labels = [f"INV-2026-R{n % 7}-{n:06}" for n in range(0, 100_000, 997)]
    references = {reference_of(label) for label in labels}
    assert len(references) == len(labels)
    assert all(iso11649.is_valid(reference) for reference in references)
    for label in ("", "---", "X" * 22):
        with pytest.raises(ValueError, match="1 to 21"):
            reference_of(label)
