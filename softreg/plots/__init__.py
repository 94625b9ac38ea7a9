"""Pictures of what a fit did and of what a model is: results in, matplotlib Axes out, no fitting.

A Display keeps what it shows.  Its ``from_…`` constructors draw at once, ``plot(ax=…)`` draws again, and
``figure_`` and ``ax_`` are the last drawing, free to be changed further:

>>> history = {"iteration": [0, 1], "passes": [1, 2], "seconds": [0.0, 0.1], "loss": [0.69, 0.2]}
>>> display = LossDisplay.from_history(history, label="iris")
>>> display.ax_.get_ylabel()
'loss (nats per row)'
"""

from softreg.plots.agreement import AgreementDisplay
from softreg.plots.confusion import ConfusionDisplay
from softreg.plots.convergence import ConvergenceDisplay
from softreg.plots.display import Display, save_figure
from softreg.plots.intervals import DifferencesDisplay, IntervalsDisplay
from softreg.plots.loss import LossDisplay
from softreg.plots.margins import MarginsDisplay
from softreg.plots.masses import MassesDisplay
from softreg.plots.model_weights import ModelWeightsDisplay
from softreg.plots.ranking import RankingDisplay
from softreg.plots.regions import RegionsDisplay
from softreg.plots.reliability import ReliabilityDisplay
from softreg.plots.traces import SuboptimalityDisplay, TracesDisplay
from softreg.plots.weights import WeightsDisplay

__all__ = [
    "AgreementDisplay",
    "ConfusionDisplay",
    "ConvergenceDisplay",
    "DifferencesDisplay",
    "Display",
    "IntervalsDisplay",
    "LossDisplay",
    "MarginsDisplay",
    "MassesDisplay",
    "ModelWeightsDisplay",
    "RankingDisplay",
    "RegionsDisplay",
    "ReliabilityDisplay",
    "SuboptimalityDisplay",
    "TracesDisplay",
    "WeightsDisplay",
    "save_figure",
]
