"""The long path: PDFs of any length in flat memory. No Django, no database, no network.

Python lays out the pages (:mod:`documents.volumes.layout`), because the widths of
:mod:`documents.measure` give every row's height. The pages are cut into volumes. typst typesets
each volume in a child process that gives its memory back when it ends
(:mod:`documents.volumes.typeset`). The volumes are joined into one tagged file (PDF/UA-1) while
they arrive (:mod:`documents.volumes.join`). The number of pages is known before the first one is
typeset, so every footer says "Page 3 of 12" without a second pass.

Texts of customers are data only: typst reads them from JSON files in a private folder, and can read
no other file. Characters that no font has become U+FFFD. Control and bidirectional formatting
characters are left out.
"""
