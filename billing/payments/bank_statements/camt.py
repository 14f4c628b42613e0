"""Bank statements in ISO 20022's camt.053, of all versions that banks send (.001.02 to .001.13).

The file comes from outside. A document type is refused, because only attackers send one, so there
are no entities. Nothing is loaded from anywhere. Each entry is dropped once it is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any

from lxml import etree

from billing.payments.bank_statements.lines import (
    ACCOUNT_MAX_LENGTH,
    PAYER_MAX_LENGTH,
    REFERENCE_MAX_LENGTH,
    TEXT_MAX_LENGTH,
    BankLine,
    Direction,
    NotReadable,
    Ordinals,
    WrongSums,
    amount_of,
    bank_reference_of,
    currency_of,
    day_of,
    words,
)

_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."
_SIGNS = {"CRDT": 1, "DBIT": -1}
_OPENING = ("OPBD", "PRCD")


@dataclass(slots=True)
class _Statement:
    """What was read of a statement until now. ``moved`` is the sum of its booked entries."""

    account: str = ""
    currency: str = ""
    opening: Decimal | None = None
    closing: Decimal | None = None
    moved: Decimal = Decimal(0)
    ordinals: Ordinals = field(default_factory=Ordinals)


def read_camt(file: IO[bytes]) -> Iterator[BankLine]:
    """Yield the lines of all statements of a file.

    Raise ``NotReadable``, and ``WrongSums`` where the balances or the parts of an entry do not add
    up. The caller books nothing before the last line came.
    """
    statement: _Statement | None = None
    statements = 0
    try:
        for event, element in etree.iterparse(
            file,
            events=("start", "end"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        ):
            name = etree.QName(element)
            if event == "start":
                if element.getparent() is None:
                    _check_root(element, name)
                elif name.localname == "Stmt":
                    statement = _Statement()
                    statements += 1
                continue
            if statement is None:
                continue
            parent = element.getparent()
            if parent is None or etree.QName(parent).localname not in ("Stmt", "BkToCstmrStmt"):
                continue
            match name.localname:
                case "Acct":
                    _read_account(statement, element)
                case "Bal":
                    _read_balance(statement, element)
                case "Ntry":
                    yield from _entry(statement, element)
                case "Stmt":
                    _check_sums(statement)
                    statement = None
                case _:
                    continue
            element.clear()
            while element.getprevious() is not None:
                del parent[0]
    except etree.XMLSyntaxError as error:
        raise NotReadable(f"This is not well-formed XML: {str(error)[:200]}") from None
    if not statements:
        raise NotReadable("This file has no statement.")


def _check_root(root: Any, name: Any) -> None:
    if root.getroottree().docinfo.doctype:
        raise NotReadable("A bank statement has no document type.")
    if name.localname != "Document" or not (name.namespace or "").startswith(_NAMESPACE):
        raise NotReadable("Only camt.053 is read, the statement of a day's end, or CSV.")


def _text(element: Any, *paths: str) -> str:
    """Return the text at the first of these paths that is there, such as ``Refs/EndToEndId``."""
    for path in paths:
        found = element.find("/".join(f"{{*}}{part}" for part in path.split("/")))
        if found is not None and found.text and found.text.strip():
            return str(found.text.strip())
    return ""


def _money(element: Any, path: str) -> tuple[Decimal, str] | None:
    found = element.find("/".join(f"{{*}}{part}" for part in path.split("/")))
    if found is None:
        return None
    return amount_of(found.text or ""), currency_of(found.get("Ccy", ""))


def _sign(element: Any) -> int:
    said = _text(element, "CdtDbtInd")
    if said not in _SIGNS:
        raise NotReadable("An amount does not say whether it is a credit or a debit.")
    return _SIGNS[said]


def _read_account(statement: _Statement, element: Any) -> None:
    account = _text(element, "Id/IBAN", "Id/Othr/Id").replace(" ", "").upper()
    statement.account = words(account, ACCOUNT_MAX_LENGTH)
    if currency := _text(element, "Ccy"):
        statement.currency = currency_of(currency)


def _read_balance(statement: _Statement, element: Any) -> None:
    code = _text(element, "Tp/CdOrPrtry/Cd")
    if code not in (*_OPENING, "CLBD"):
        return
    money = _money(element, "Amt")
    if money is None:
        raise NotReadable("A balance has no amount.")
    amount, currency = money
    statement.currency = statement.currency or currency
    if currency != statement.currency:
        raise NotReadable("A balance is in another currency than its account.")
    if code == "CLBD":
        statement.closing = _sign(element) * amount
    elif statement.opening is None or code == "OPBD":
        statement.opening = _sign(element) * amount


def _check_sums(statement: _Statement) -> None:
    # Some banks send the statement of an account without both balances.
    if statement.opening is None or statement.closing is None:
        return
    if statement.opening + statement.moved != statement.closing:
        raise WrongSums()


def _entry(statement: _Statement, entry: Any) -> Iterator[BankLine]:
    """Yield the line of an entry, or those of its parts where the bank has put several together."""
    if _text(entry, "Sts/Cd", "Sts") != "BOOK":
        return
    if not statement.account:
        raise NotReadable("A statement does not say whose account it is of.")
    money = _money(entry, "Amt")
    if money is None:
        raise NotReadable("An entry has no amount.")
    amount, currency = money
    sign = _sign(entry)
    if statement.currency and currency != statement.currency:
        raise NotReadable("An entry is in another currency than its account.")
    statement.moved += sign * amount
    day = day_of(_text(entry, "BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm"))
    # What is taken back moves money, but is no payment of a customer.
    reversed = _text(entry, "RvslInd") in ("true", "1")
    direction = Direction.OTHER if reversed or not amount else _DIRECTIONS[sign]
    own = bank_reference_of(_text(entry, "AcctSvcrRef"))
    # Once for all parts: each could have to look through all of the entry.
    about = _text(entry, "AddtlNtryInf")
    parts = entry.findall("{*}NtryDtls/{*}TxDtls")
    shares = [_share(part, currency) for part in parts]
    if len(parts) < 2 or None in shares:
        # Only the whole is known, so the texts of its parts are read as one.
        yield _line(statement, about, parts, direction, day, amount, currency, own)
        return
    if sum((share for share in shares if share is not None), Decimal(0)) != amount:
        raise WrongSums()
    for number, (part, share) in enumerate(zip(parts, shares, strict=True), 1):
        reference = bank_reference_of(_text(part, "Refs/AcctSvcrRef"))
        # Parts often repeat the reference of the whole.
        if own and reference in ("", own):
            reference = f"{own}/{number}"
        yield _line(
            statement, about, [part], direction, day, share or Decimal(0), currency, reference
        )


_DIRECTIONS = {1: Direction.CREDIT, -1: Direction.DEBIT}


def _share(part: Any, currency: str) -> Decimal | None:
    """Return the amount of a part, or ``None`` where it has none in the account's currency."""
    for path in ("Amt", "AmtDtls/TxAmt/Amt"):
        money = _money(part, path)
        if money is not None and money[1] == currency:
            return money[0]
    return None


def _line(
    statement: _Statement,
    about: str,
    parts: list[Any],
    direction: Direction,
    day: Any,
    amount: Decimal,
    currency: str,
    bank_reference: str,
) -> BankLine:
    written = [each.text or "" for part in parts for each in part.findall("{*}RmtInf/{*}Ustrd")]
    given = [
        reference
        for part in parts
        for reference in (
            _text(part, "RmtInf/Strd/CdtrRefInf/Ref"),
            _text(part, "Refs/EndToEndId"),
        )
        if bank_reference_of(reference)
    ]
    payers = [_text(part, "RltdPties/Dbtr/Nm", "RltdPties/Dbtr/Pty/Nm") for part in parts]
    text = words(" ".join(written) or about, TEXT_MAX_LENGTH)
    reference = words(" ".join(given), REFERENCE_MAX_LENGTH)
    payer = words(next(filter(None, payers), ""), PAYER_MAX_LENGTH)
    facts = (day, amount, currency, reference, text, payer, direction)
    return BankLine(
        direction=direction,
        account=statement.account,
        booked_on=day,
        amount=amount,
        currency=currency,
        bank_reference=bank_reference,
        reference=reference,
        text=text,
        payer=payer,
        ordinal=0 if bank_reference else statement.ordinals.next(*facts),
    )
