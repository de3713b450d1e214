"""What N samples prove of a bias (Campi & Garatti 2008 and 2018; Campi, Garatti & Ramponi 2018).

MCBE's ``alpha*`` solves the scenario program ``max sum_j alpha_j`` subject to ``alpha_j <= (W x_i)_j`` for
all samples ``x_i`` and all ``j`` in ``J_{x_i}``, the rows that reach the n-th largest entry of ``W x_i``. Its
risk is

    V = P(a fresh sample would lower alpha*),

and every function here gives an ``epsilon`` with ``V <= epsilon`` at confidence ``1 - beta``. Samples must be
independent draws from one distribution, and V refers to it: data with noise if the samples were that.

A coordinate that no sample has touched is ``+inf``. This is the limit of the program with a cap
``alpha_j <= A``: with A the risk under the cap increases to V, so that the bounds carry over. Such a
coordinate has no support sample, and a fresh sample that touches it for the first time counts as lowering it.
"""

from __future__ import annotations

import math

from scipy.special import betainc, betainccinv

from unrelu._checks import probability, whole_number
from unrelu._statistics import clopper_pearson, log_binomial, log_binomial_pmf
from unrelu.errors import ArgumentError

_SAFETY = 1e-7  # of beta: above the relative error of the special functions, far below any use
_ROUND_UP = 1 + 1e-12


def a_priori_epsilon(n_samples: int, n_variables: int, beta: float) -> float:
    """Return what can be promised before the samples are seen: ``V <= epsilon`` at confidence ``1 - beta``.

    The solution of ``sum_{i < m} C(N, i) epsilon^i (1 - epsilon)^(N - i) = beta`` (Campi & Garatti 2008,
    Theorem 1), a quantile of the beta distribution. Ties between samples do no harm.

    Args:
        n_samples: Number N of samples, fixed beforehand.
        n_variables: Number m of rows.
        beta: Probability, over the samples, that the statement fails.

    Returns:
        The bound, rounded up; 1 if N < m.

    Raises:
        ArgumentError: A count that is no whole number of at least 1, or ``beta`` outside (0, 1).

    Example:
        >>> round(a_priori_epsilon(10_000, 50, 0.01), 5)
        0.00678
    """
    samples, variables = whole_number("n_samples", n_samples), whole_number("n_variables", n_variables)
    beta = probability("beta", beta)
    if samples < variables:
        return 1.0
    return _rounded_up(float(betainccinv(variables, samples - variables + 1, beta * (1 - _SAFETY))))


def samples_needed(epsilon: float, beta: float, n_variables: int) -> int:
    """Return the smallest number of samples for which `a_priori_epsilon` is at most ``epsilon``.

    Args:
        epsilon: Risk to be allowed, in (0, 1).
        beta: Probability, over the samples, that the statement fails.
        n_variables: Number m of rows.

    Raises:
        ArgumentError: An argument out of range.

    Example:
        >>> samples_needed(0.01, 1e-6, n_variables=50)
        9086
    """
    epsilon, beta = probability("epsilon", epsilon), probability("beta", beta)
    variables = whole_number("n_variables", n_variables)
    low = high = variables
    while a_priori_epsilon(high, variables, beta) > epsilon:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = a_priori_epsilon(middle, variables, beta) <= epsilon
        low, high = (low, middle) if enough else (middle, high)
    return high


def a_posteriori_epsilon(n_samples: int, n_support: int, beta: float, *, degenerate: bool = False) -> float:
    """Return what holds once it is seen how few of the samples made ``alpha*``: ``V <= epsilon``.

    With ``degenerate=False`` the wait-and-judge bound (Campi & Garatti 2018): ``epsilon = 1 - t`` with ``t``
    the root in (0, 1) of

        beta / (N + 1) sum_{i=k}^{N} C(i, k) t^(i - k) = C(N, k) t^(N - k).

    The sum is ``epsilon^-(k+1) P(S > k)`` with S binomial, N + 1 trials of probability epsilon. Hence the
    equation is ``(k + 1) P(S = k + 1) = beta P(S > k)``; the ratio of its sides falls as epsilon grows.

    The theorem asks that the k support samples alone give the same answer, almost surely. Here this is no
    assumption, ties included, where k is counted as follows: for each finite coordinate take the one sample
    that attains it, of several the one that came first; k is the number of different samples taken. For let
    each sample carry an independent mark, uniform on (0, 1), and minimise pairs (value, mark). No two are
    equal, so the samples that attain the minima are exactly those whose removal changes the answer, and N
    samples have a given k among them for support if and only if these have themselves and the others do not
    lower the pairs. The risk of the pairs is at least V, and by exchangeability "the lowest mark" may be
    read as "the first to come".

    Then the bound needs no convexity. Let F_k be the law of the risk v, restricted to where k out of k
    samples are support. Summing over the support of M samples, ``sum_k C(M, k) int (1 - v)^(M - k) dF_k = 1``
    for M = 0, ..., N, and ``P(V > epsilon(k)) = sum_k C(N, k) int_{v > epsilon(k)} (1 - v)^(N - k) dF_k`` is,
    by the choice of epsilon(k), at most beta / (N + 1) times the sum of these N + 1 ones.

    With ``degenerate=True`` k may be the size of *any* subset of the samples that alone gives ``alpha*``,
    however it was found (the smallest one, say, where ties leave a choice): ``epsilon = 1 - (beta /
    (N C(N, k)))^(1 / (N - k))`` (Campi, Garatti & Ramponi 2018, Theorem 1), several times as large where
    N and k are.

    Args:
        n_samples: Number N of samples, fixed beforehand.
        n_support: Number k of support samples, counted as above; never more than the rows.
        beta: Probability, over the samples, that the statement fails.
        degenerate: Whether the support samples were chosen in any other way.

    Returns:
        The bound, rounded up; 1 if k = N.

    Raises:
        ArgumentError: A count that is no whole number, more support samples than samples, or ``beta`` outside
            (0, 1).

    Example:
        >>> round(a_posteriori_epsilon(10_000, 20, 0.01), 5)
        0.00394
    """
    samples, support = whole_number("n_samples", n_samples), whole_number("n_support", n_support, least=0)
    beta = probability("beta", beta)
    if support > samples:
        raise ArgumentError(f"n_support: expected at most n_samples = {samples}, got {support}")
    if support == samples:
        return 1.0
    if degenerate:
        log_share = math.log(beta) - math.log(samples) - log_binomial(samples, support)
        return _rounded_up(-math.expm1(log_share / (samples - support)))
    return _wait_and_judge(samples, support, beta * (1 - _SAFETY))


def _wait_and_judge(samples: int, support: int, beta: float) -> float:
    """Find the root by bisection: the upper end of its bracket, which is never below the root."""
    k, trials = support + 1, samples + 1

    def below(epsilon: float) -> bool:
        tail = float(betainc(k, trials - k + 1, epsilon))
        return math.log(k) + log_binomial_pmf(k, trials, epsilon) <= math.log(beta * tail)

    # P(S >= k) <= P(S = k) / (1 - r) with r = P(S = k + 1) / P(S = k), which bounds the root from below.
    odds = (k + 1) * (1 - beta / k) / (trials - k)
    low, high = odds / (1 + odds), 1.0
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if below(middle) else (middle, high)
    return high


def patience_epsilon(patience: int, n_changes: int, beta: float) -> float:
    """Return what holds when sampling stopped because ``s`` samples in a row had changed nothing.

    ``epsilon = 1 - (beta / ((c + 1) (c + 2)))^(1 / s)`` after c changes. Proof: after the c-th change
    ``alpha`` is fixed and the samples to come are fresh, so if V > epsilon_c the next s leave it alone with
    probability at most ``(1 - epsilon_c)^s = beta / ((c + 1) (c + 2))``; these sum to beta over c >= 0.

    Samples may be drawn in batches: a change is then a batch that lowered something, and only whole batches
    after the last change count towards s.

    Args:
        patience: Number s of samples without a change, fixed beforehand.
        n_changes: Number c of samples (or batches) that lowered a coordinate.
        beta: Probability, over the samples, that the statement fails.

    Returns:
        The bound, rounded up.

    Raises:
        ArgumentError: A count that is no whole number, or ``beta`` outside (0, 1).

    Example:
        >>> round(patience_epsilon(5_000, 300, 0.01), 5)
        0.0032
    """
    patience, changes = whole_number("patience", patience), whole_number("n_changes", n_changes, least=0)
    log_share = math.log(probability("beta", beta)) - math.log1p(changes) - math.log(changes + 2)
    return _rounded_up(-math.expm1(log_share / patience))


def fixed_bias_interval(n_satisfied: int, n_samples: int, confidence: float) -> tuple[float, float]:
    """Return an interval for the probability that a sample satisfies a bias that was fixed before sampling.

    The interval of Clopper and Pearson (1934). It needs fresh samples: those that made the bias satisfy it.

    Args:
        n_satisfied: Samples that satisfy the bias.
        n_samples: All samples.
        confidence: Coverage, at least, in (0, 1).

    Raises:
        ArgumentError: A count that is no whole number or out of range, or ``confidence`` outside (0, 1).

    Example:
        >>> low, high = fixed_bias_interval(990, 1_000, 0.99)
        >>> print(f"{low:.4f} to {high:.4f}")
        0.9787 to 0.9963
    """
    samples = whole_number("n_samples", n_samples)
    satisfied = whole_number("n_satisfied", n_satisfied, least=0)
    if satisfied > samples:
        raise ArgumentError(f"n_satisfied: expected at most n_samples = {samples}, got {satisfied}")
    return clopper_pearson(satisfied, samples, probability("confidence", confidence))


def _rounded_up(epsilon: float) -> float:
    return min(1.0, epsilon * _ROUND_UP)
