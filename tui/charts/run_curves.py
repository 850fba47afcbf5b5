"""One run whose curves are drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.events.series import Series


@dataclass(frozen=True, slots=True)
class RunCurves:
    """One run that is drawn."""

    name: str
    series: Mapping[str, Series] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
