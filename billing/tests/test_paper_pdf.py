"""The paper: what the PDF claims, contains and shows."""

import hashlib
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from lxml import etree
from PIL import Image
from pypdf import PdfReader

from billing.codes import AMOUNTS, transfer_code
from billing.content import Buyer, Content, ContentDiscount, Seller
from billing.paper.einvoice import xml_of
from billing.paper.pdf import ATTACHMENT, render_paper
from billing.tests.papers import BUYER, INVOICE, SELLER, L, make_content
from documents import compile as short
from documents.rendered import Rendered

HASH = "ab12" * 16
SPRING = ContentDiscount(coupon="SPRING", reason=None, percent=Decimal(10), amount=Decimal("3.00"))


@pytest.fixture(scope="module", autouse=True)
def children() -> Iterator[None]:
    yield
    for child in short._children.values():
        child._stop()


@pytest.fixture
def paper(tmp_path: Path) -> Any:
    def make(
        content: Content, buyer: Buyer = BUYER, language: str = "en", logo: bytes = b""
    ) -> tuple[Rendered, bytes, str]:
        output = tmp_path / "paper.pdf"
        done = render_paper(
            content,
            buyer,
            output,
            hash_=HASH,
            language=language,
            site_url="https://shop.example",
            site_name="The shop",
            logo=logo,
        )
        pdf = output.read_bytes()
        pages = PdfReader(io.BytesIO(pdf)).pages
        return done, pdf, " ".join("\n".join(page.extract_text() for page in pages).split())

    return make


def metadata_of(pdf: pikepdf.Pdf) -> dict[str, str]:
    root = etree.fromstring(pdf.Root.Metadata.read_bytes())
    values: dict[str, str] = {}
    for node in root.iter("{*}Description"):
        values |= {etree.QName(name).localname: str(value) for name, value in node.attrib.items()}
        values |= {etree.QName(child).localname: child.text or "" for child in node}
    return values


def test_the_file_claims_and_has_what_factur_x_asks_for(paper: Any) -> None:
    content = make_content(discounts=[SPRING])
    done, made, _ = paper(content)
    assert (done.size, done.sha256) == (len(made), hashlib.sha256(made).hexdigest())
    with pikepdf.open(io.BytesIO(made)) as pdf:
        claims = metadata_of(pdf)
        packet = etree.fromstring(pdf.Root.Metadata.read_bytes())
        assert {name: claims[name] for name in ("conformance", "DocumentType")} == {
            "conformance": "A",
            "DocumentType": "INVOICE",
        }
        assert claims["DocumentFileName"] == ATTACHMENT
        assert (claims["Version"], claims["ConformanceLevel"]) == ("1.0", "EN 16931")
        parts = {node.tag: node.text for node in packet.iter("{*}part")}
        assert parts["{http://www.aiim.org/pdfa/ns/id/}part"] == "3"
        assert parts["{http://www.aiim.org/pdfua/ns/id/}part"] == "1"
        # A second bag of extension schemas would break PDF/A.
        (schemas,) = packet.iter("{http://www.aiim.org/pdfa/ns/extension/}schemas")
        prefixes = [node.text for node in schemas.iter("{*}prefix")]
        assert prefixes.count("fx") == 1
        root = pdf.Root
        assert (root.MarkInfo.Marked, str(root.Lang)) == (True, "en")
        assert root.ViewerPreferences.DisplayDocTitle
        assert "/OutputIntents" in root
        (file,) = root.AF
        assert str(file.AFRelationship) == "/Alternative"
        assert str(file.UF) == ATTACHMENT
        assert str(file.EF.F.Subtype) == "/text/xml"
        assert pdf.attachments[ATTACHMENT].get_file().read_bytes() == xml_of(content, BUYER)
        kinds: dict[str, int] = {}
        count_tags(root.StructTreeRoot, kinds)
        assert kinds["/Table"] == 2
        assert kinds["/TH"] == 7 + 4
        # The codes are figures with a text for those who cannot see them.
        assert kinds["/Figure"] == kinds["alternative"] == 2
        assert (kinds["/Title"], kinds["/H1"], kinds["/H2"]) == (1, 1, 1)


def count_tags(node: Any, kinds: dict[str, int]) -> None:
    if isinstance(node, pikepdf.Array):
        for each in node:
            count_tags(each, kinds)
    elif isinstance(node, pikepdf.Dictionary):
        if "/S" in node:
            kinds[str(node.S)] = kinds.get(str(node.S), 0) + 1
            if str(node.S) == "/Figure" and "/Alt" in node:
                kinds["alternative"] = kinds.get("alternative", 0) + 1
        if "/K" in node:
            count_tags(node.K, kinds)


def test_the_same_content_gives_the_same_bytes(paper: Any) -> None:
    first = paper(make_content())[0].sha256
    # Another process, another moment.
    short._children[False]._stop()
    assert paper(make_content())[0].sha256 == first
    assert paper(make_content(), language="de")[0].sha256 != first
    picture = io.BytesIO()
    Image.new("RGBA", (90, 30), (0, 128, 128, 200)).save(picture, "PNG")
    with_logo = [paper(make_content(), logo=picture.getvalue()) for _ in range(2)]
    assert with_logo[0][0].sha256 == with_logo[1][0].sha256 != first
    shown = PdfReader(io.BytesIO(with_logo[0][1])).pages[0].images
    assert (90, 30) in [image.image.size for image in shown if image.image]
    assert paper(make_content([L("book", 3, "9.98", "3.00")]))[0].sha256 != first


def test_what_stands_on_an_invoice(paper: Any) -> None:
    done, _, text = paper(make_content(discounts=[SPRING]))
    assert done.pages == 1
    for shown in (
        *("Invoice INV-2026-000123", "Joe Bloggs Ltd", "1 High Street", "United Kingdom"),
        *("1 May 2026", "28 Apr 2026", "Payable until 15 May 2026.", "Customer number 005"),
        *("Discount SPRING (10%) −3.00", "Total amount €26.97", "19% 22.66 4.31 26.97"),
        *("DE89 3704 0044 0532 0130 00", "RF98 INV2 0260 0012 3", "Page 1 of 1"),
    ):
        assert shown in text
    # What has been paid changes, and the paper does not.
    assert "paid" not in text.lower()
    german = paper(make_content(discounts=[SPRING]), language="de")[2]
    for shown in (
        *("Rechnung INV-2026-000123", "Vereinigtes Königreich", "1. Mai 2026", "26,97"),
        *("Zahlbar bis 15. Mai 2026.", "Gesamtbetrag 26,97 €", "Seite 1 von 1", "USt."),
    ):
        assert shown in german


def test_what_stands_on_a_credit_note(paper: Any) -> None:
    _, made, text = paper(make_content(include_tax=False, corrects=INVOICE, reason="Came too late"))
    for shown in (
        *("Credit note CN-2026-000007", "of invoice INV-2026-000123 of 1 May 2026"),
        *("Reason: Came too late", "Net amount 26.97", "VAT 19% 5.12", "Total credited €32.09"),
    ):
        assert shown in text
    assert "Bank transfer" not in text
    assert "Payable" not in text
    with pikepdf.open(io.BytesIO(made)) as pdf:
        assert b">381<" in pdf.attachments[ATTACHMENT].get_file().read_bytes()


def test_a_document_that_is_no_e_invoice_is_still_a_paper(paper: Any) -> None:
    yen = make_content([L("本", 3, "333", "9")], currency="JPY", exponent=0, seller=Seller())
    _, made, text = paper(yen)
    with pikepdf.open(io.BytesIO(made)) as pdf:
        assert metadata_of(pdf)["conformance"] == "A"
        assert not pdf.attachments
        assert "/AF" not in pdf.Root
    assert "Total amount ¥990" in text
    assert "The shop" in text
    # There is no account to transfer to.
    assert "IBAN" not in text


def test_texts_of_any_script_and_length(paper: Any) -> None:
    texts = [
        "日本語の本",
        "ספר",
        "📚 e\u0301",
        "x" * 190,
        '#panic("x")',
        "] $x$ *b* \\",
        "\u202eabc",
    ]
    lines = [
        L(text, 2000, "9999999.99", rate=rate) for text, rate in zip(texts, RATES, strict=True)
    ]
    lines += [L(f"row {number}", 1, "1.00") for number in range(60)]
    lines.append(L(" ", 1, "1.00"))
    buyer = Buyer(
        name="Zoë 王 " * 20, address="\n".join(f"line {n}" for n in range(12)), country="IL"
    )
    done, made, text = paper(make_content(lines, include_tax=False), buyer)
    assert done.pages == len(PdfReader(io.BytesIO(made)).pages) > 2
    for shown in ("日本語の本", "📚 é", '#panic("x")', "] $x$ *b* \\", "line 11", "row 59", "王"):
        assert shown in text
    assert "19,999,999,980.00" in text
    assert "\u200b" not in text
    # A word that is longer than its column goes on in the next line.
    assert "x" * 20 in text
    assert "x" * 190 not in text
    # A line without a name is called something, and several rates have a sum.
    body = make_content(lines, include_tax=False).body
    assert "Purchase 1 1.00" in text
    assert f"Sum {body.net:,} {body.tax:,} {body.total:,}" in text
    # The head of the table and the number stand on every page.
    assert text.count("Unit price") == text.count("Scalable Shop GmbH Invoice INV-2026") + 1


RATES = ["19.00", "7.00", "0.00", "5.50", "21.00", "25.00", "20.00"]


def test_codes_of_transfers_are_for_what_a_bank_takes() -> None:
    asked: dict[str, Any] = {
        "name": SELLER.name,
        "iban": SELLER.iban,
        "bic": SELLER.bic,
        "amount": Decimal("26.97"),
        "currency": "EUR",
        "reference": "RF98INV2026000123",
    }
    assert transfer_code(**asked).startswith("<svg")
    assert transfer_code(**asked | {"bic": "", "name": "名" * 200}).startswith("<svg")
    for amount in AMOUNTS:
        assert transfer_code(**asked | {"amount": amount})
    for none in (
        *({"amount": Decimal(0)}, {"amount": AMOUNTS[1] + 1}, {"currency": "USD"}),
        *({"iban": ""}, {"name": ""}),
    ):
        assert not transfer_code(**asked | none)
