"""A failure in words: the rule, the finding and the usual cause."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """Rule behind the messages that match a pattern: what holds, and the usual cause if not."""

    pattern: str
    holds: str
    cause: str


#: In order: the first whose pattern is found in a message explains it.
RULES: tuple[Rule, ...] = tuple(
    Rule(*words)
    for words in (
        ("too few to see", "a sample must be large enough to see an error of the size looked for",
         "the numbers spread far more than they should: a scale is wrong, or gradients are noise"),
        ("share their noise|same draw", "every row and every draw has noise of its own",
         "noise is drawn once and broadcast, or the seed starts again; draw it in the full shape "
         "(K, B, D)"),
        ("spread over copies", "the estimates of K draws spread as K independent draws do",
         "draws are used twice, as by a seed that starts again in each chunk, or not at all"),
        ("another row|moved rows|a row that was moved",
         "the result of one row does not depend on the others of its batch",
         "a mean, a sum or a normalisation runs over the batch axis"),
        ("another order", "the order of draws means nothing",
         "one draw is singled out, or an axis is mistaken for another"),
        ("random state|seed", "a seed decides the draws and leaves the caller's random state alone",
         "the global seed is set, or the seed given is not passed on"),
        ("[Tt]he integral|sum over the levels", "a law integrates or sums to one",
         "a constant, a log-determinant or a Jacobian was dropped, log p is averaged over units "
         "instead of summed, or the end bins lack their tails"),
        ("against its density|the (?:spread|mean) of draws|products of draws|has frequency",
         "draws follow the density",
         "draws and density use another scale (variance for standard deviation), mean or factor"),
        ("the mean of p\\(x", "the mean a law tells is that of its density",
         "it is told in other units, or the density has a sign or an edge wrong"),
        ("of draws of codes", "scores give the encoder of codes the gradient of the exact sum",
         "a draw is in its own baseline, weights of scores are not held constant, or a sign is "
         "lost"),
        ("off the unit sphere", "a direction has the length 1",
         "a small number is added to a length that is divided by"),
        ("knows the example itself", "no example is part of the prior it is trained under",
         "leave the example out of its own exemplars, and count one less"),
        ("from a code|its own codes|codes a chance", "q(z|x) gives one code, for certain",
         "codes are rounded in a lower precision, or what pulls them is told as nats"),
        ("parts of the rate|squared discrepancy|bound between two",
         "penalties over a batch are in nats and without bias, and ends of a family known bounds",
         "a logarithm of a count is left out, a point is compared with itself, or weights are "
         "exchanged"),
        ("gradient of draws", "draws carry the gradient of the law they come from",
         "the mean or the scale is detached, or taken without reparameterisation"),
        ("expected gradient for '|the decoder's gradient|of every draw, for",
         "a gradient without the score has the mean of the total one, and the decoder's is as ever",
         "shares of the weights are not squared, not held constant, or reach the decoder, too"),
        ("path-wise|the score", "asked for, log q(z|x) is differentiated through z alone",
         "the gradient asked for is not passed on, or more is detached than the parameters of q"),
        ("a unit below the floor has|gradient of a unit below", "units below the floor are free",
         "the floor is added to the rate instead of replacing it"),
        ("stop its gradient", "holding a law constant keeps its density and stops its gradient",
         "`detached` is not registered for this family, or detaches something else"),
        ("[Nn]o gradient|missing or not finite", "a gradient reaches every parameter",
         "something is detached, unused, computed under no_grad, or nan in a branch not taken"),
        ("unobserved|nothing was observed|mask|nothing\\|z|observed cells",
         "what was not observed leaves no trace in bound and gradient",
         "fill unobserved cells before log_prob and drop their terms after it, with where and not "
         "by multiplication: nan times zero is nan"),
        ("a sum over cells|sum of its cells|all cells",
         "log p(x|z) is the sum over the observed cells, in float64",
         "it is averaged, summed over the batch too, or accumulated in float32"),
        ("not finite|finite", "every number is finite, also for extreme values",
         "a logarithm of a rounded zero, or an exponential without a bound on its argument"),
        ("has shape|has batch|batch of z|starts with|is \\(1 or K", "shapes are (K, B) and (B,)",
         "a sum keeps or loses an axis, or two axes are broadcast against each other"),
        ("float64", "log-densities are summed in float64",
         "sum with dtype=torch.float64, as lowerbound.distributions.accumulate does"),
        ("drawn KL|closed KL|closed form|expected rate|the rate|a second of two groups",
         "the rate is KL(q(z|x) || p(z)), summed over all units and groups",
         "its terms are swapped, the log-variance has the wrong sign or half, or it is clamped, "
         "averaged or taken of one group"),
        ("two groups", "units count alike in one group of latents or in several",
         "only one group is counted, or units are averaged"),
        ("floored at|floor", "the rate of each unit, averaged over the batch, is floored",
         "the floor is taken on the whole, on each example or in another unit"),
        ("annealed at|all of the training is done", "annealing weighs the rate, and ends",
         "the weight is applied twice, to something else, or the schedule never reaches one"),
        ("penalt", "a penalty is subtracted from each example's bound",
         "penalties are ignored or averaged"),
        ("exceeds|at most|does not hold on the same draws|grow with",
         "ELBO <= IWAE_K <= log p(x), and more draws are tighter",
         "log K is missing, the rate is left out or has the wrong sign, or weights are inverted"),
        ("E\\[exp|exp\\(bound\\)|mean weight|known answer|at the exact posterior|log p\\(x, z\\)"
         "|ELBO\\(|IWAE\\(|value of one draw",
         "with the exact posterior every bound is log p(x); exp of an importance-weighted one has "
         "the mean p(x)",
         "a term is swapped, evaluated at the mean instead of the draw, or lacks log K"),
        ("distortion", "the distortion is -E[log p(x|z)]",
         "it has the wrong sign, or is not the mean over draws"),
        ("beta = 0", "without its rate a bound lies between mean and log-mean of p(x|z)",
         "beta weighs something other than the rate, or the mean over draws or rows is wrong"),
        ("nats more", "a nat of log p(x|z) is a nat of the bound",
         "the bound is divided, weighted, summed over draws, or leaves the logarithm"),
        ("gradient", "automatic gradients are those of the exact answer, or of finite differences",
         "a term is detached, such as the entropy, or a gradient is passed through a clamp"),
        ("ranks", "truths rank uniformly among draws of the exact posterior",
         "the posterior is shifted, too wide or too narrow"),
        ("of the trace", "a trace holds the densities of the model's own parts",
         "a density is taken at the mean instead of the draw, or dropout is left on"),
        ("must refuse|refuses its own",
         "a likelihood refuses impossible values, and no draw of its own",
         "check() accepts too much, or draws are means instead of values"),
        ("copy|state_dict", "copies are independent and saved weights complete",
         "a tensor is kept outside parameters and buffers, or __deepcopy__ shares it"),
        ("two traces|two values", "the same seed gives the same numbers",
         "state is kept between calls, or noise comes from another generator"),
        (" is .* should be ", "two ways to the same number agree", "a term is wrong or missing"),
    )
)  # fmt: skip


def explain(message: str) -> str:
    """Say in one line what should hold, what was found and what usually causes it."""
    message = " ".join(message.split())
    rule = rule_of(message)
    return f"{rule.holds}, but {message}; usually {rule.cause}" if rule else message


def rule_of(message: str) -> Rule | None:
    """Return the rule that explains a message, or None."""
    return next((rule for rule in RULES if re.search(rule.pattern, message)), None)
