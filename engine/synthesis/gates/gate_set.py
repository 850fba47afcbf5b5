"""All gates of a job together, in their order.

Owns that the last ones, which cost a question, are asked only of rows that all others let pass.
Every gate compares a row with those of other sources alone: a row that is edited, or asked for
again, is no duplicate of what it was.
"""

from collections.abc import Iterable, Sequence

from engine.synthesis.gates.candidate import Gate, GateFindings, NotJudged, RowCandidate
from engine.synthesis.outcomes import Reason


class GateSet:
    """`check` a row, then `add` it if it passed, in the order of outcomes; to resume, add those of
    `standing_candidates`."""

    def __init__(self, gates: Sequence[Gate], last: Sequence[Gate] = ()) -> None:
        self._gates = tuple(gates)
        self._last = tuple(last)
        self._states = [gate.state for gate in (*gates, *last) if gate.state]

    def check(self, candidate: RowCandidate) -> GateFindings:
        """What the gates say of a row; adds nothing."""
        report = _ask(self._gates, candidate)
        if report.reasons or not self._last:
            return report
        more = _ask(self._last, candidate)
        return GateFindings(more.reasons, report.unjudged + more.unjudged)

    def add(self, candidate: RowCandidate) -> None:
        """Take up a row that passed, with which later ones are compared, in place of an earlier one
        of its source."""
        for state in self._states:
            state.add(candidate)

    def remove(self, source: str) -> None:
        """Forget the row of a source: asked again, it gave none that passed."""
        for state in self._states:
            state.remove(source)

    def add_all(self, candidates: Iterable[RowCandidate]) -> None:
        for candidate in candidates:
            self.add(candidate)


def _ask(gates: Sequence[Gate], candidate: RowCandidate) -> GateFindings:
    reasons, unjudged = [], []
    for gate in gates:
        try:
            detail = gate.check(candidate)
        except NotJudged as error:
            unjudged.append(Reason(gate.name, str(error)))
            continue
        if detail:
            reasons.append(Reason(gate.name, detail))
    return GateFindings(tuple(reasons), tuple(unjudged))
