"""How good synthetic rows of a table are: each measure beside its value of real rows."""

from lowerbound.evaluation.synthetic.auc import auc
from lowerbound.evaluation.synthetic.gower import Gower, manifold
from lowerbound.evaluation.synthetic.judge import told_apart
from lowerbound.evaluation.synthetic.of_data import judged, judged_columns
from lowerbound.evaluation.synthetic.privacy import Privacy, copied, privacy
from lowerbound.evaluation.synthetic.quality import SyntheticQuality, synthetic_quality
from lowerbound.evaluation.synthetic.shape import shapes
from lowerbound.evaluation.synthetic.table import Table, tables
from lowerbound.evaluation.synthetic.trend import associations, trends
from lowerbound.evaluation.synthetic.usefulness import Use, usefulness
from lowerbound.evaluation.synthetic.validity import validity

__all__ = [
    "synthetic_quality",
    "SyntheticQuality",
    "judged",
    "judged_columns",
    "Table",
    "tables",
    # measures
    "told_apart",
    "trends",
    "associations",
    "usefulness",
    "Use",
    "shapes",
    "manifold",
    "Gower",
    "validity",
    "privacy",
    "Privacy",
    "copied",
    "auc",
]
