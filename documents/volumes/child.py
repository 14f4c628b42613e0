"""The child process that typesets one volume: a script that imports no module of the shop."""

import signal
import sys
from collections.abc import Sequence

import typst


def main(arguments: Sequence[str]) -> None:
    """Typeset one volume: its folder, its name, the result, a time stamp, seconds, font folders."""
    folder, volume, result, timestamp, seconds, *fonts = arguments
    # The alarm ends a child whose parent has died. Its default action works even while native code
    # runs.
    signal.alarm(int(seconds))
    try:
        typst.compile(
            f"{folder}/volume.typ",
            output=result,
            root=folder,
            ignore_system_fonts=True,
            font_paths=fonts,
            sys_inputs={"volume": volume},
            pdf_standards=["ua-1"],
            timestamp=int(timestamp),
        )
    except typst.TypstError as error:
        sys.exit(" ".join([error.message, *error.hints]))


if __name__ == "__main__":
    main(sys.argv[1:])
