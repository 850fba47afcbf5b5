"""Controls as JSON: what `finetop impact --controls --json` prints. Owns the keys; what is not
finite, and what was not measured, is null."""

from collections.abc import Sequence
from typing import Any

from engine.impact.changes.controls import ControlRow, IdentityControl, NullControl
from engine.impact.changes.planted_loss import FoundShare, PowerTable, SkillPower
from engine.json_output import finite_or_none


def controls_to_json(controls: Sequence[ControlRow], power: PowerTable) -> dict[str, Any]:
    """By skill, what its controls say, and what a planted loss showed of its verdict."""
    names = dict.fromkeys([one.row.name for one in controls] + [one.name for one in power.skills])
    powers = {one.name: one for one in power.skills}
    return {
        "arms": list(power.arms),
        "draws": power.draws,
        "any_false_alarm": _share(power.any_false_alarm),
        "skills": {
            name: {
                **_power(powers.get(name)),
                "measures": {
                    one.row.measure: {
                        "primary": one.row.is_primary,
                        "unit": one.row.unit,
                        "identity": [_identity(each) for each in one.identity],
                        "null_adapters": [_null(each) for each in one.nulls],
                    }
                    for one in controls
                    if one.row.name == name
                },
            }
            for name in names
        },
    }


def _power(power: SkillPower | None) -> dict[str, Any]:
    if power is None:
        return {
            "items": None,
            "flips": None,
            "noise": None,
            "false_alarms": None,
            "planted": [],
            "reason": None,
        }
    return {
        "items": power.items,
        "flips": power.flips,
        "noise": power.noise,
        "false_alarms": _share(power.false_alarms),
        "planted": [{"loss": loss, **(_share(one) or {})} for loss, one in power.planted.items()],
        "reason": power.reason or None,
    }


def _share(share: FoundShare | None) -> dict[str, Any] | None:
    if share is None:
        return None
    return {
        "share": finite_or_none(share.share),
        "interval": list(share.interval),
        "draws": share.draws,
    }


def _identity(identity: IdentityControl) -> dict[str, Any]:
    verdict = identity.verdict
    return {
        "of": identity.of,
        "items": identity.items,
        "changed": list(identity.changed),
        "largest": finite_or_none(identity.largest),
        "verdict": verdict.word if verdict else None,
    }


def _null(null: NullControl) -> dict[str, Any]:
    return {
        "of": null.of,
        "items": null.items,
        "adapters": len(null.changes),
        "changes": list(null.changes),
        "mean": null.mean,
        "sd": null.sd,
        "value": null.value,
        "z": null.z,
        "degrees": null.degrees,
    }
