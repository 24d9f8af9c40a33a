"""The one noun of the library: a distribution that depends on a context."""

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.distributions import Distribution


class Conditional(nn.Module, ABC):
    """A conditional distribution p(. | context).

    Prior, likelihood and posterior are three uses of it:

    ==========  =========================  ==========================
    use         context                    distribution over
    ==========  =========================  ==========================
    prior       None, or a label           z, event `(D,)`
    posterior   x, `(B, *event)`           z, batch `(B,)`
    likelihood  z, `(K, B, D)`             x, batch `(K, B)`
    ==========  =========================  ==========================

    A subclass is final; to vary one, wrap it or write another.
    """

    #: How the distribution is written, such as "N(m(x), diag s(x)^2)".
    formula: str = ""
    #: Of a law of z: what its values are. A prior and a posterior of different values have no
    #: densities that could be compared.
    values: str = "reals"

    @abstractmethod
    def forward(self, context: Tensor | None = None) -> Distribution:
        """Return the distribution given `context`, batched over its leading axes."""

    def among(self, q: Distribution, context: Tensor | None = None) -> Distribution:
        """Return a prior as a batch meets it that is trained on; a prior made of data overrides it.

        Args:
            q: Posteriors of the batch, batch `(B,)`.
            context: As for `forward`.

        Returns:
            p(z), batch `()` or `(B,)`.
        """
        return self(context)

    def check(self, x: Tensor, observed: Tensor | None = None, name: str = "x") -> None:
        """Raise `SupportError` with the remedy if `x` holds an impossible value; by default none.

        Args:
            x: Values, `(N, *event)`.
            observed: Which of them count, bool; None for all.
            name: Their name in the message.
        """
