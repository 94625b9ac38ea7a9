"""Outcomes made into a `Comparison`: estimates with intervals, differences with tests, verdicts, rows in dispute."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.comparison.contenders import Contender, Linear
from softreg.comparison.judging import ALPHAS, WITH_INTERVAL, Manner, Portrait
from softreg.comparison.result import Comparison, Design, Disagreements, Estimate, ModelSummary, agreement
from softreg.comparison.running import Judged
from softreg.inference import (
    Bootstrap,
    Difference,
    bootstrap,
    corrected_interval,
    corrected_t,
    holm,
    mcnemar,
    mcnemar_smallest,
    verdict,
)
from softreg.metrics import LOSS_NAMES, wilson
from softreg.scores import METRICS, Bins, calibration_bins, score
from softreg.text import listing, short

Array = NDArray[Any]


def summarise(
    contenders: Sequence[Contender],
    judged: Judged,
    y: Array,
    manner: Manner,
    design: Design,
    *,
    data: str,
    classes: tuple[str, ...],
    feature_names: tuple[str, ...],
    ids: Sequence[str],
    points: tuple[Array, Array] | None = None,
    image_shape: tuple[int, int] | None = None,
    portrait_text: str = "",
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
    command: str | None = None,
) -> Comparison:
    """The whole comparison.

    Parameters
    ----------
    y : (n,) codes of the judged rows: of the table for folds, of the test rows else
    ids : n texts that name these rows
    """
    view = _View(contenders, judged, y, manner, design, len(classes))
    estimates = view.estimates()
    models = [view.model(contender, *estimates.get(contender.name, ({}, {}))) for contender in contenders]
    primary, others = view.differences()
    tuned = _tuned_text(contenders, manner)
    verdicts = [
        verdict(
            difference, view.setting, tuned, design.n_repeats, design.n_folds, view.same_predictions(difference.name)
        )
        for difference in primary
    ]
    predicted = view.first("predicted")
    right = {name: codes == y for name, codes in predicted.items()}
    return Comparison(
        names=tuple(contender.name for contender in contenders),
        metric=manner.metric,
        data=data,
        classes=classes,
        feature_names=feature_names,
        design=design,
        models=tuple(models),
        differences=tuple(primary),
        other_differences=tuple(others),
        verdicts=tuple(verdicts),
        disagreements=_disagreements(predicted, y, classes, ids),
        right=right,
        portraits=judged.portraits,
        portrait_text=portrait_text,
        bins=view.bins(),
        points=points,
        image_shape=image_shape,
        folds=tuple(view.fold_rows()),
        notes=(*notes, *view.notes(), *_separations(judged.portraits, classes, feature_names, portrait_text)),
        warnings=(*warnings, *view.warnings(models)),
        margin=manner.margin,
        command=command,
    )


class _View:
    """The outcomes of the models that did not fail, read in several ways."""

    def __init__(
        self,
        contenders: Sequence[Contender],
        judged: Judged,
        y: Array,
        manner: Manner,
        design: Design,
        n_classes: int,
    ) -> None:
        self.contenders, self.judged, self.y = contenders, judged, y
        self.manner, self.design, self.n_classes = manner, design, n_classes
        self.names = [c.name for c in contenders if self.fine(c.name)]
        self.by_fold = judged.n_folds is not None
        # Folds of groups differ in size.
        self.ratio = sum(len(apart) for _, apart in judged.splits) / sum(len(train) for train, _ in judged.splits)

    def fine(self, name: str) -> bool:
        return all(outcome.error is None for outcome in self.judged.outcomes[name])

    @property
    def setting(self) -> str:
        d = self.design
        if not self.by_fold:
            return f"{d.n_test} test rows"
        times = f", {d.n_repeats} repeats" if d.n_repeats and d.n_repeats > 1 else ""
        return f"{d.n_folds}-fold cross-validation{times}"

    # --- numbers ---

    def values(self, name: str, metric: str, calibrated: bool = False) -> Array:
        """Of each split the metric; NaN where there is none."""
        found = []
        for outcome in self.judged.outcomes[name]:
            scores = outcome.calibrated if calibrated else outcome.scores
            found.append(math.nan if scores is None else scores.get(metric, math.nan))
        return np.array(found)

    def estimates(self) -> dict[str, tuple[dict[str, Estimate], dict[str, Estimate]]]:
        """Of each model its metrics, from its own probabilities and from calibrated ones."""
        if self.by_fold:
            return {name: (self._fold_estimates(name, False), self._fold_estimates(name, True)) for name in self.names}
        own, calibrated = self._bootstrap("P"), self._bootstrap("Q")
        return {
            name: (self._test_estimates(name, False, own), self._test_estimates(name, True, calibrated))
            for name in self.names
        }

    def _fold_estimates(self, name: str, calibrated: bool) -> dict[str, Estimate]:
        found = {}
        for metric in METRICS:
            if calibrated and not METRICS[metric].needs_probabilities:
                continue
            values = self.values(name, metric, calibrated)
            if not np.isfinite(values).all():
                found[metric] = Estimate(math.nan)
            elif metric in WITH_INTERVAL:
                found[metric] = Estimate(*_within(corrected_interval(values, self.ratio), metric))
            else:
                found[metric] = Estimate(self._pooled_calibration_error(name, "Q" if calibrated else "P"))
        return found

    def _pooled_calibration_error(self, name: str, which: str) -> float:
        """The mean over repeats of all rows of a repeat together: a fold alone has too few for its bins."""
        n_folds = self.judged.n_folds or 1
        outcomes, errors = self.judged.outcomes[name], []
        for start in range(0, len(outcomes), n_folds):
            part = range(start, start + n_folds)
            rows = np.concatenate([self.judged.splits[i][1] for i in part])
            P = np.concatenate([getattr(outcomes[i], which) for i in part])
            errors.append(score("calibration_error", self.y[rows], P.argmax(axis=1), P, self.n_classes))
        return float(np.mean(errors))

    def _test_estimates(self, name: str, calibrated: bool, boot: Bootstrap) -> dict[str, Estimate]:
        found = {}
        for metric in METRICS:
            if calibrated and not METRICS[metric].needs_probabilities:
                continue
            value = float(self.values(name, metric, calibrated)[0])
            low, high = boot.intervals.get(name, {}).get(metric, (math.nan, math.nan))
            if metric == "accuracy":
                low, high = wilson(value, len(self.y))
            found[metric] = Estimate(value, low, high)
        return found

    def _bootstrap(self, which: str, metrics: Sequence[str] | None = None) -> Bootstrap:
        """Resamples of the test rows, the same for every model; of the models that have what it takes."""
        models = {}
        for name in self.names:
            outcome = self.judged.outcomes[name][0]
            models[name] = (outcome.predicted, getattr(outcome, which))
        chosen = metrics or (WITH_INTERVAL if which == "P" else [m for m in WITH_INTERVAL if m in _PROBABILITY])
        return bootstrap(
            self.y,
            models,  # type: ignore[arg-type]
            list(chosen),
            self.n_classes,
            self.names[0] if self.names else "",
            seed=self.manner.seed,
        )

    # --- differences ---

    def differences(self) -> tuple[list[Difference], list[Difference]]:
        """In the primary metric, tested and adjusted; in the others, intervals only."""
        reference = self.contenders[0].name
        if reference not in self.names:
            return [], []
        primary: list[Difference] = []
        others: list[Difference] = []
        boot = None if self.by_fold else self._bootstrap("Q", WITH_INTERVAL)
        for name in self.names[1:]:
            for metric in METRICS:
                if metric not in WITH_INTERVAL:
                    continue
                found = (
                    self._fold_difference(name, metric) if boot is None else self._test_difference(name, metric, boot)
                )
                if found is None:
                    continue
                (primary if metric == self.manner.metric else others).append(found)
        adjusted = holm([d.p for d in primary if d.p is not None])
        primary = [replace(d, p_holm=p) for d, p in zip(primary, adjusted, strict=True)]
        return primary, [replace(d, p=None, p_holm=None) for d in others]

    def _fold_difference(self, name: str, metric: str) -> Difference | None:
        calibrated = METRICS[metric].needs_probabilities
        reference = self.names[0]
        d = self.values(name, metric, calibrated) - self.values(reference, metric, calibrated)
        if not np.isfinite(d).all():
            return None
        delta, low, high, p, smallest = corrected_t(d, self.ratio)
        return Difference(
            metric, name, reference, delta, low, high, "corrected resampled t", p, None, smallest, len(d), None, None
        )

    def _test_difference(self, name: str, metric: str, boot: Bootstrap) -> Difference | None:
        reference = self.names[0]
        found = boot.differences.get(name, {}).get(metric)
        if found is None or not math.isfinite(found[0]):
            return None
        delta, low, high, p, smallest = found
        n, test, only_reference, only_model = len(self.y), "paired bootstrap", None, None
        if metric == "accuracy":
            test = "exact McNemar"
            right = [np.asarray(self.judged.outcomes[one][0].predicted) == self.y for one in (reference, name)]
            only_reference, only_model = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
            p = mcnemar(only_reference, only_model)
            smallest = mcnemar_smallest(n, only_reference + only_model)
        return Difference(
            metric, name, reference, delta, low, high, test, p, None, smallest, n, only_reference, only_model
        )

    def same_predictions(self, name: str) -> bool:
        """Whether a model predicts the same as the reference, in every fit."""
        pairs = zip(self.judged.outcomes[name], self.judged.outcomes[self.names[0]], strict=True)
        return all(np.array_equal(a.predicted, b.predicted) for a, b in pairs)  # type: ignore[arg-type]

    # --- models, rows, folds ---

    def model(
        self, contender: Contender, scores: Mapping[str, Estimate], calibrated: Mapping[str, Estimate]
    ) -> ModelSummary:
        """What the table says of one model."""
        outcomes = self.judged.outcomes[contender.name]
        errors = [(i, outcome.error) for i, outcome in enumerate(outcomes) if outcome.error is not None]
        seconds = sum(outcome.seconds for outcome in outcomes)
        if errors:
            i, error = errors[0]
            where = "" if not self.by_fold else f" (fold {i % (self.judged.n_folds or 1) + 1})"
            return ModelSummary(
                contender.name, contender.description, error=f"{error}{where}", seconds=seconds, n_fits=len(outcomes)
            )
        inverse = [o.inverse_temperature for o in outcomes if o.inverse_temperature is not None]
        losses = None
        if all(o.losses is not None for o in outcomes):
            means = np.mean([o.losses or () for o in outcomes], axis=0).tolist()
            losses = dict(zip(LOSS_NAMES, means, strict=True))
        summary = ModelSummary(
            contender.name,
            contender.description,
            scores=scores,
            calibrated=calibrated,
            inverse_temperature=(min(inverse), float(np.median(inverse)), max(inverse)) if inverse else None,
            temperature_bounded=sum(o.bounded for o in outcomes),
            losses=losses,
            seconds=seconds,
            n_fits=len(outcomes),
        )
        if not isinstance(contender, Linear):
            return summary
        worst = max(outcomes, key=lambda o: (not o.certified, o.certificate or 0.0))
        active = [o.activity for o in outcomes if o.activity is not None]
        return replace(
            summary,
            zero_gradient=_mean(a.zero for a in active),
            tiny_gradient=_mean(a.tiny for a in active),
            inside_margin=_mean(a.inside for a in active),
            norm=_mean(o.norm for o in outcomes),
            alphas=tuple(o.alpha for o in outcomes if o.alpha is not None),
            passes=sum(o.passes or 0.0 for o in outcomes),
            certificate=worst.certificate,
            tol=contender.settings.target,
            certified=all(o.certified for o in outcomes),
            n_certified=sum(bool(o.certified) for o in outcomes),
            status=worst.status,
            message=worst.message,
        )

    def first(self, which: str) -> dict[str, Array]:
        """Of each model one array over all judged rows: of folds the first repeat's."""
        found = {}
        for name in self.names:
            outcomes = self.judged.outcomes[name]
            if not self.by_fold:
                value = getattr(outcomes[0], which)
                if value is not None:
                    found[name] = value
                continue
            parts = [getattr(outcomes[i], which) for i in range(self.judged.n_folds or 1)]
            if any(part is None for part in parts):
                continue
            whole = np.full((len(self.y), *parts[0].shape[1:]), -1, dtype=parts[0].dtype)
            for i, part in enumerate(parts):
                whole[self.judged.splits[i][1]] = part
            found[name] = whole
        return found

    def judged_rows(self) -> Array:
        """(n,) whether a row is judged at all: a class of one row never is."""
        if not self.by_fold:
            return np.ones(len(self.y), dtype=bool)
        seen = np.zeros(len(self.y), dtype=bool)
        for i in range(self.judged.n_folds or 1):
            seen[self.judged.splits[i][1]] = True
        return seen

    def bins(self) -> dict[str, Bins]:
        """Reliability of calibrated probabilities, and of those that a model has itself."""
        seen = self.judged_rows()
        found = {}
        own = self.first("P")
        for name, Q in self.first("Q").items():
            found[name] = calibration_bins(self.y[seen], Q[seen])
            if name in own:
                found[f"{name}, raw"] = calibration_bins(self.y[seen], own[name][seen])
        return found

    def fold_rows(self) -> list[dict[str, Any]]:
        """A line for each model and fold."""
        if not self.by_fold:
            return []
        lines = []
        for name in self.names:
            for i, outcome in enumerate(self.judged.outcomes[name]):
                repeat, fold = divmod(i, self.judged.n_folds or 1)
                line: dict[str, Any] = {"model": name, "repeat": repeat + 1, "fold": fold + 1, "alpha": outcome.alpha}
                line.update(outcome.scores or {})
                line.update({f"calibrated_{metric}": v for metric, v in (outcome.calibrated or {}).items()})
                lines.append(line)
        return lines

    # --- what the reader has to know ---

    def notes(self) -> list[str]:
        found = []
        for name in self.names:
            bounded = sum(o.bounded for o in self.judged.outcomes[name])
            if bounded:
                n = len(self.judged.outcomes[name])
                found.append(
                    f"{name}: in {bounded} of {n} fits the inner rows were all but separated, so the temperature was "
                    "bounded: no more certain on average than (m + 1)/(m + 2), m the inner rows that were right"
                )
        never = int((~self.judged_rows()).sum())
        if never:
            found.append(f"{never} rows are of classes that cannot be divided among folds: trained on, never judged")
        return found

    def warnings(self, models: Sequence[ModelSummary]) -> list[str]:
        found = []
        for model in models:
            if model.error is not None:
                found.append(f"{model.name} failed: {model.error}")
            elif model.certified is False:
                found.append(f"{model.name}: {model.n_certified} of {model.n_fits} fits are certified: {model.message}")
            outcomes = self.judged.outcomes[model.name]
            loose = sum(o.loose for o in outcomes)
            if loose and model.error is None:
                found.append(f"{model.name}: {loose} of the inner fits, for temperature or alpha, are not certified")
            edge = {o.alpha for o in outcomes if o.at_edge and o.alpha in (ALPHAS[0], ALPHAS[-1])}
            found += [
                f"{model.name}: --tune chose alpha {short(a)}, the edge of its grid"
                for a in sorted(edge)
                if a is not None
            ]
        return found


_PROBABILITY = {name for name, metric in METRICS.items() if metric.needs_probabilities}


def _within(interval: tuple[float, float, float], metric: str) -> tuple[float, float, float]:
    """An approximate interval cut to where the metric can be: from 0, and to 1 of a share or an F1."""
    value, low, high = interval
    return value, max(low, 0.0), min(high, 1.0) if METRICS[metric].greater_is_better else high


def _separations(
    portraits: Mapping[str, Portrait], classes: Sequence[str], features: Sequence[str], fitted: str
) -> list[str]:
    """Which classes are separated, and by what, of each model for which no finite optimum exists."""
    return [
        f"{name}, {fitted}: {portrait.separation.sentence(list(classes), list(features))}"
        for name, portrait in portraits.items()
        if portrait.separation is not None
    ]


def _mean(values: Any) -> float | None:
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else None


def _tuned_text(contenders: Sequence[Contender], manner: Manner) -> str:
    alphas = {c.settings.alpha for c in contenders if isinstance(c, Linear) and c.settings.C is None}
    if manner.tune:
        return "alpha tuned for each inside the training rows"
    linear = [c for c in contenders if isinstance(c, Linear)]
    if len(alphas) == 1 and all(c.settings.C is None for c in linear):
        whose = "each" if len(linear) == len(contenders) else "softreg's losses"
        return f"at alpha = {short(alphas.pop())} for {whose}, untuned"
    return "untuned"


def _disagreements(
    predicted: Mapping[str, Array], y: Array, classes: Sequence[str], ids: Sequence[str]
) -> Disagreements:
    if len(predicted) < 2:
        return Disagreements()
    rows = np.flatnonzero(~agreement(predicted)).tolist()
    rows = [i for i in rows if next(iter(predicted.values()))[i] >= 0]
    return Disagreements(
        ids=tuple(ids[i] for i in rows),
        truth=tuple(classes[y[i]] for i in rows),
        predicted={name: tuple(classes[codes[i]] for i in rows) for name, codes in predicted.items()},
    )


def absent_note(y: Array, classes: Sequence[str], n_folds: int) -> str | None:
    """Which classes have fewer rows than folds, so that some folds judge none of them."""
    counts = np.bincount(y, minlength=len(classes))
    few = np.flatnonzero(counts < n_folds)
    if not len(few):
        return None
    shown = listing([f"{classes[k]} ({counts[k]})" for k in few.tolist()], 6)
    return f"fewer rows than folds: {shown}; folds without a class leave it out of balanced accuracy and macro-F1"
