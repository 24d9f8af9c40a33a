"""The last hidden layer of a classifier trained on the data's own labels."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lowerbound.data import Examples, Schema
from lowerbound.errors import SettingError
from lowerbound.evaluation.quality.pixels import PCA, Pixels, rows_to_fit
from lowerbound.evaluation.quality.space import FeatureSpace, some

#: Rectified units of the two hidden layers; the second are the features.
HIDDEN = (256, 64)
#: Cells beyond which the classifier sees principal components of them.
MOST_CELLS = 4096
#: Principal components that it then sees.
COMPONENTS_SEEN = 256
#: Passes over the examples.
EPOCHS = 20
#: Fewest examples of each class, on average, that a classifier is trained on.
EXAMPLES_PER_CLASS = 20
#: Every which example is set aside to measure the classifier's accuracy.
HELD_OUT = 10


@dataclass(frozen=True)
class Classifier(FeatureSpace):
    """Last hidden units of a classifier of the labels: blind to what does not matter for the class.

    Args:
        shape: Of an example.
        inputs: Features that the classifier sees.
        layers: Weights `(I, O)` and biases `(O,)` of the hidden layers.
        accuracy: Share of the examples set aside whose class it finds.
        held_out: How many these were.
        fitted_on: Number of training examples.
        classes: Number of classes.
    """

    shape: tuple[int, ...]
    inputs: Pixels | PCA
    layers: tuple[tuple[Tensor, Tensor], ...]
    accuracy: float
    held_out: int
    fitted_on: int
    classes: int

    name = "classifier"

    @classmethod
    def fit(cls, train: Examples, schema: Schema, *, seed: int = 0) -> "Classifier":
        """Train a perceptron on at most 10,000 labelled examples; a tenth of them tells how well.

        Raises:
            SettingError: There are no labels, one class, or too few examples for the classes.
        """
        if train.label is None or not can_classify(train):
            raise SettingError(
                "the feature space 'classifier' needs labels of at least 2 classes, and "
                f"{EXAMPLES_PER_CLASS} training examples for each; use --features pca"
            )
        rows = some(rows_to_fit(schema), len(train), seed)
        chosen = train.select(rows)
        if schema.dimensions > MOST_CELLS:
            inputs: Pixels | PCA = PCA.fit(chosen, schema, COMPONENTS_SEEN, seed=seed)
        else:
            inputs = Pixels.fit(chosen, schema)
        seen, label = inputs(chosen.x), train.label[rows]
        aside = torch.arange(len(seen)) % HELD_OUT == 0
        found = perceptron(seen[~aside], label[~aside], HIDDEN, epochs=EPOCHS, seed=seed)
        hidden = zip(found.coefs_[:-1], found.intercepts_[:-1], strict=True)
        layers = tuple((torch.tensor(w).double(), torch.tensor(b).double()) for w, b in hidden)
        told = torch.from_numpy(found.predict(seen[aside].float().numpy()))
        accuracy = float((told == label[aside]).double().mean())
        fitted_on = len(seen) - int(aside.sum())
        classes = len(label.unique())
        return cls(schema.shape, inputs, layers, accuracy, int(aside.sum()), fitted_on, classes)

    @property
    def dimensions(self) -> int:
        return self.layers[-1][0].shape[1]

    @property
    def words(self) -> str:
        return (
            f"the {self.dimensions} last hidden units of a classifier of {self.classes} classes, "
            f"trained on {self.fitted_on:,} training examples, right about "
            f"{100 * self.accuracy:.0f} % of {self.held_out:,} others; blind to what does not "
            "matter for the class"
        )

    def embed(self, x: Tensor) -> Tensor:
        """Return rectified units `(B, 64)` of `(B, *shape)`, float64."""
        hidden = self.inputs.embed(x)
        for weight, bias in self.layers:
            hidden = (hidden @ weight + bias).relu()
        return hidden

    def to_json(self) -> dict[str, Any]:
        """Return what any feature space does, and the accuracy on examples it did not see."""
        return {**super().to_json(), "accuracy": self.accuracy, "accuracy_on": self.held_out}


def can_classify(train: Examples) -> bool:
    """Tell whether there are labels of two classes, and enough examples of each on average."""
    if train.label is None:
        return False
    classes = len(train.label.unique())
    return classes >= 2 and len(train) >= EXAMPLES_PER_CLASS * classes


def perceptron(x: Tensor, label: Tensor, hidden: tuple[int, ...], *, epochs: int, seed: int) -> Any:
    """Train scikit-learn's `MLPClassifier` on x, `(N, F)`, for a fixed number of passes."""
    from sklearn.neural_network import MLPClassifier  # a second's import

    make: Any = MLPClassifier  # its stub says that the size of a batch is a word
    classifier = make(
        hidden,
        alpha=1e-3,
        batch_size=min(64, max(16, math.isqrt(len(x)))),
        learning_rate_init=2e-3,
        random_state=seed % 2**32,
    )
    data, classes = x.float().numpy(), label.numpy()
    known = label.unique().numpy()
    for _ in range(epochs):  # not fit: it warns when it has not converged, and cannot know
        classifier.partial_fit(data, classes, classes=known)
    return classifier
