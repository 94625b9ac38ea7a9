"""Models on the same splits: certified fits, honest tests of the difference, and what each loss does to its rows.

`compare` takes estimators and arrays; ``softreg compare`` takes a table.  What comes back is a `Comparison`.
"""

from softreg.comparison.comparing import compare
from softreg.comparison.result import Comparison, Design, Disagreements, Estimate, ModelSummary

__all__ = ["Comparison", "Design", "Disagreements", "Estimate", "ModelSummary", "compare"]
