"""What Keras's losses demand of targets and outputs; no Keras needed to know it."""

_PROBABILITY_LOSSES = frozenset(
    {
        "binarycrossentropy",
        "binaryfocalcrossentropy",
        "categoricalcrossentropy",
        "categoricalfocalcrossentropy",
        "kldivergence",
    }
)
_SHORT_NAMES = {"bce": "binarycrossentropy", "kld": "kldivergence"}


def reads_probabilities(loss):
    """Return whether a loss reads its targets as probabilities.

    Parameters
    ----------
    loss : str or object
        A Keras name, or Keras's function or instance of a loss.
    """
    names = [loss, getattr(loss, "__name__", None), type(loss).__name__]
    plain = {n.replace("_", "").lower() for n in names if isinstance(n, str)}
    return not _PROBABILITY_LOSSES.isdisjoint(_SHORT_NAMES.get(n, n) for n in plain)
