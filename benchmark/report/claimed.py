"""The table of claims: each sentence with the verdict of its test, and what verdicts, intervals and p mean."""

from __future__ import annotations

from collections import Counter

from benchmark.report.numbers import Entry, estimate, p_entry
from benchmark.report.records import Claim
from benchmark.report.tables import Head, Row, Table

VERDICTS = {"pass": "✓ pass", "fail": "✗ fail", "undecided": "? undecided"}


def claims_table(claims: list[Claim]) -> Table:
    """Claims with the verdict of their test; an older suite does not name sources, tests and counts."""
    texts = ["Claim", "Verdict", "Effect", "p", "Evidence"]
    source = any(claim.source for claim in claims)
    counts = any(claim.n_units or claim.n_seeds for claim in claims)
    texts[4:4] = ["Rests on"] * counts
    texts[1:1] = ["Source"] * source
    rows = []
    for claim in claims:
        entries = [Entry(claim.source or "not given")] * source
        entries.append(Entry(VERDICTS[claim.verdict], tone=claim.verdict))
        entries.append(estimate(claim.effect, claim.low, claim.high, reason="no effect was measured"))
        entries.append(_p(claim))
        entries += [Entry(_counted(claim))] * counts
        entries.append(Entry(claim.evidence or "not given"))
        rows.append(Row((claim.claim,), entries))
    return Table("claims", "Claims and the verdict of their test", [Head(text) for text in texts], rows, _notes(claims))


def _p(claim: Claim) -> Entry:
    """The adjusted p, or what decides a claim that has none."""
    if claim.p is not None or not claim.test:
        return p_entry(claim.p, "not tested")
    if claim.test == "every_seed":
        how = "decided seed by seed"
    elif claim.test == "ratio" and claim.verdict != "undecided":
        how = "decided by value" if claim.low is None else "decided by the interval of the ratio"
    else:
        how = "the evidence says why"
    return Entry(f"no p: {how}", reason=how)


def _counted(claim: Claim) -> str:
    """On how many test units and seeds a claim rests; a ratio of costs rests on neither."""
    if not claim.n_units and not claim.n_seeds:
        return "costs.csv" if claim.test == "ratio" else "not counted"
    return f"{claim.n_units or 'no'} units, {claim.n_seeds or 'no'} seeds"


def _notes(claims: list[Claim]) -> list[str]:
    found = Counter(claim.verdict for claim in claims)
    words = [f"{found[name]} {_verb(name, found[name])}" for name in ("pass", "undecided", "fail") if found[name]]
    levels = sorted({claim.alpha for claim in claims if claim.alpha is not None})
    level = f", alpha = {' or '.join(f'{one:g}' for one in levels)}" if levels else ""
    return [
        f"{len(claims)} {'claim' if len(claims) == 1 else 'claims'}: {', '.join(words)}.",
        f"Pass: the test shows the claim{level}; fail: it shows the opposite; undecided: neither is shown, which says "
        "nothing against the claim, or it could not be tested. A claim of every seed passes if each keeps the bound. "
        "Rules: docs/claims.md.",
        "Effect: the interval is that of the claim alone, 95 %, before Holm. p: after Holm's correction within the "
        "claim's family, so that a claim may be undecided though its interval lies on one side; the plain p stands in "
        "the evidence.",
    ] * bool(claims)


def _verb(verdict: str, count: int) -> str:
    """``1 passes``, ``2 pass``; undecided stays."""
    third = {"pass": "passes", "fail": "fails"}
    return third.get(verdict, verdict) if count == 1 else verdict
