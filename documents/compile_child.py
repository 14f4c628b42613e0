"""The warm child process of the short path: a script that imports no module of the shop.

It reads a request in one line of JSON from its standard input, and answers with a line of JSON and
the bytes of the PDF. It ends when its parent does.
"""

import json
import os
import resource
import signal
import sys
from typing import Any

import typst

MEMORY = 2 * 1024**3
"""The child's memory limit, so that a runaway template ends this process only."""


def main(font_folders: list[str]) -> None:
    """Serve requests until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    fonts = typst.Fonts(include_system_fonts=False, font_paths=font_folders)
    compilers: dict[str, typst.Compiler] = {}
    for line in sys.stdin.buffer:
        request = json.loads(line)
        # The default action of SIGALRM ends a busy child whose parent has died.
        signal.alarm(request["seconds"])
        template = request["template"]
        if template not in compilers:
            compilers[template] = typst.Compiler(
                template, root=os.path.dirname(template), font_paths=fonts
            )
        try:
            pdf: Any = compilers[template].compile(
                sys_inputs=request["inputs"],
                pdf_standards=request["standards"],
                timestamp=request["timestamp"],
            )
        except typst.TypstError as error:
            _answer({"error": " ".join([error.message, *error.hints])[:2000]})
        else:
            _answer({"size": len(pdf)}, pdf)
        signal.alarm(0)


def _answer(head: dict[str, object], content: bytes = b"") -> None:
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + content)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
