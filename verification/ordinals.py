# SPDX-License-Identifier: MIT
"""Places in an order, as people write and say them."""


def ordinal(number: int) -> str:
    """A place in an order: 1st, 2nd, 3rd, 4th."""
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def ordinal_word(number: int) -> str:
    """The same in a word, as far as people use one: first to ninth, then 10th."""
    words = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
    return words[number] if 0 < number < len(words) else ordinal(number)
