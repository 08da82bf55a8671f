"""Finds the words of a patient's identifiers in what somebody typed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator

_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"[^\W\d_]+|\d+")
"""Of a word: "Mueller1" has two."""
_SHORTEST_LETTERS = 2
"""Of a word in ASCII letters that is looked for: "J" is found in any name."""
_SHORTEST = 3
"""Of a number, and of a word with digits: "12" is found in any name."""


class IdentifierWords:
    """``identifiers``: as DICOM writes them ("Li^Bo=李^博"); ``kept``: words that are never replaced."""

    def __init__(self, identifiers: Iterable[str], kept: Collection[str] = ()) -> None:
        never = {each.casefold() for text in kept for each in _words_and_parts(_composed(text))}
        found = {each.casefold() for identifier in identifiers for each in _sought(identifier)}
        self._words = frozenset(found - never)
        within = sorted(filter(_is_written_without_blanks, self._words), key=len, reverse=True)
        self._within = re.compile("|".join(map(re.escape, within))) if within else None

    def replaced(self, text: str, replacement: str) -> str:
        """``text`` with ``replacement`` for each whole word that an identifier has, whatever its case."""
        text = _composed(text)
        if self._within is not None:
            text = self._within.sub(lambda _: replacement, text)
        return _WORD.sub(lambda found: self._replaced_word(found[0], replacement), text)

    def _replaced_word(self, word: str, replacement: str) -> str:
        if word.casefold() in self._words:
            return replacement
        return _PART.sub(lambda part: replacement if part[0].casefold() in self._words else part[0], word)


def _sought(identifier: str) -> Iterator[str]:
    for group in _composed(identifier).split("="):  # PS3.5 section 6.2.1: alphabetic, ideographic, phonetic
        for each in (*_words_and_parts(group), "".join(_WORD.findall(group))):
            if not each.isascii() or len(each) >= (_SHORTEST_LETTERS if each.isalpha() else _SHORTEST):
                yield each


def _words_and_parts(text: str) -> Iterator[str]:
    for word in _WORD.findall(text):
        yield word
        yield from _PART.findall(word)


def _composed(text: str) -> str:
    """An umlaut may be one sign or two."""
    return unicodedata.normalize("NFC", text)


def _is_written_without_blanks(word: str) -> bool:
    """Chinese and Japanese run words together; one sign alone is part of too many of them."""
    return len(word) > 1 and any(unicodedata.east_asian_width(sign) == "W" for sign in word)
