"""The long path: PDFs of any length in flat memory. No Django, no database, no network.

Python decides what stands on which page (:mod:`documents.volumes.layout`), as every row's height
follows from the widths that :mod:`documents.measure` knows. The pages are cut into volumes. typst
typesets each volume in a child process that gives its memory back when it ends
(:mod:`documents.volumes.typeset`). The volumes are joined into one tagged file (PDF/UA-1) while
they arrive (:mod:`documents.volumes.join`). As the number of pages is known before the first one is
typeset, every footer says "Page 3 of 12" without a second pass.

Texts of customers are data only: they reach typst through JSON files in a private folder, which is
all that typst can see. Characters that no font can show become U+FFFD, and control and
bidirectional formatting characters are left out.
"""
