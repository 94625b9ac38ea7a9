"""Linear classifiers, softmax and multiclass hinge, each fit with a certificate of its distance from the optimum."""

__version__ = "0.1.0"
