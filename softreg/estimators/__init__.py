"""Estimators with scikit-learn's manners; all arithmetic is `softreg.training`'s and below.

``inputs``      what a user passes as X, y, sample_weight, class_weight -> arrays and class codes
``warn``        what a fit that is not certified says, with one next step
``watch``       lines of progress, and scikit-learn's callbacks
``base``        fit, partial_fit and predict, the same for every loss
``model_file``  save and load
``table_encoder``  a table of mixed columns -> a matrix of numbers
"""

from softreg.estimators.model_file import load
from softreg.estimators.multiclass_svc import MulticlassSVC
from softreg.estimators.softmax_regression import SoftmaxRegression
from softreg.estimators.table_encoder import TableEncoder
from softreg.estimators.warn import ConvergenceWarning

__all__ = ["ConvergenceWarning", "MulticlassSVC", "SoftmaxRegression", "TableEncoder", "load"]
