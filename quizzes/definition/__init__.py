"""The definition of a quiz, ``shop-quiz/1``: its shape, checks, public part and texts."""
