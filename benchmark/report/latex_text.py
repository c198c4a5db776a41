r"""Words for LaTeX, in ASCII: no encoding, font or language setting of the document around them matters."""

from __future__ import annotations

import unicodedata

from benchmark.report.numbers import MINUS

CHARACTERS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "{''}", "`": r"\textasciigrave{}", "[": "{[}", "]": "{]}", "*": "{*}", MINUS: "$-$",
    "÷": r"$\div$", "×": r"$\times$", "±": r"$\pm$", "·": r"$\cdot$", "√": r"$\surd$", "²": "$^2$", "°": r"$^\circ$",  # noqa: RUF001
    "≥": r"$\geq$", "≤": r"$\leq$", "≠": r"$\neq$", "≈": r"$\approx$", "∞": r"$\infty$", "→": r"$\rightarrow$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "✓": r"$\surd$", "✗": r"$\times$", "α": r"$\alpha$", "β": r"$\beta$",  # noqa: RUF001
    "δ": r"$\delta$", "Δ": r"$\Delta$", "ε": r"$\varepsilon$", "λ": r"$\lambda$", "µ": r"$\mu$", "μ": r"$\mu$",
    "σ": r"$\sigma$", "τ": r"$\tau$", "–": "--", "—": "---", "…": r"\ldots{}", "“": "``", "”": "{''}", "‘": "`",  # noqa: RUF001
    "’": "'", "†": r"$\dagger$", "‡": r"$\ddagger$", "§": r"$\mathsection$",  # noqa: RUF001
    "\u00a0": "~", "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}",
    "æ": r"\ae{}", "Æ": r"\AE{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",  # noqa: RUF001
}  # fmt: skip
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip
LIGATURES = "-,'"
"""Two of these in a row would be set as another sign."""


def escape(text: object) -> str:
    """Words as LaTeX sets them: nothing in them is a command, all is ASCII, and an unknown sign is told by its code."""
    found: list[str] = []
    before = ""
    for sign in " ".join(str(text).split()):
        found.append("{}" + sign if sign == before and sign in LIGATURES else _sign(sign))
        before = sign
    return "".join(found)


def _sign(sign: str) -> str:
    if sign in CHARACTERS:
        return CHARACTERS[sign]
    if sign.isascii() and sign.isprintable():
        return sign
    letter, marks = unicodedata.normalize("NFD", sign)[:1], unicodedata.normalize("NFD", sign)[1:]
    if marks in ACCENTS and letter.isascii():
        return f"\\{ACCENTS[marks]}{{{letter}}}"
    return f"{{[}}U+{ord(sign):04X}{{]}}"
