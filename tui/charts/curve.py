"""A curve of a chart as arrays, and a line across it at one value."""

from dataclasses import dataclass

from engine.events.series import Floats, Ints, Series


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One curve of a chart; the arrays have one length."""

    label: str
    steps: Ints
    wall_times: Floats
    values: Floats
    accent: int = 0
    """Which of the 16 accents; the same for a run on every screen."""
    as_points: bool = False
    """Points of their own, such as evaluations: never smoothed, never joined."""
    restarts: tuple[float, ...] = ()
    """Where along x the run was taken up again."""
    places: Floats | None = None
    """Where its points lie along x; None: at their steps or times. Never NaN."""
    faint: bool = False
    """Behind the others and without a name: a branch that a resume left behind."""
    branch_of: str = ""
    """The label of the curve that it was left of."""
    points_of: str = ""
    """Of points: the label of the curve whose letter, as a capital, tells whose they are."""

    @classmethod
    def of(
        cls, series: Series, label: str = "", *, accent: int = 0, as_points: bool = False
    ) -> "Curve":
        """A series as a curve; the label is its tag unless another is given."""
        return cls(
            label or series.tag,
            series.steps,
            series.wall_times,
            series.values,
            accent,
            as_points,
            series.restarts,
        )


@dataclass(frozen=True, slots=True)
class Level:
    """A line across a chart at one value, such as a budget; the axis always holds it."""

    value: float
    label: str
