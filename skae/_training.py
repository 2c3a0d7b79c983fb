"""The fit-a-network step of the estimators: one network, or several of them."""

from itertools import zip_longest

import numpy as np

from skae._fitting import Progress, Watching, fit_autoencoder
from skae._missing import counted_rows
from skae._random import seed_from, stream

# Rows that the goodness of a fit is measured on: to pass all of them once more would be
# a good part of a short training.
_MEASURED_ROWS = 10_000


class Training:
    """Trains the networks of an estimator, and sets what all estimators have."""

    def _n_networks(self):
        """Return how many networks are trained."""
        return 1

    def _fit_network(self, table, validation):
        """Train on a table, and set the attributes that every estimator has."""
        settings = self._settings()
        seeds = _seeds(seed_from(self.random_state), self._n_networks())
        table = counted_rows(table, allow_nan=self._allows_nan, at_least=2)
        if validation is not None:
            validation = counted_rows(
                validation, allow_nan=self._allows_nan, at_least=1
            )
        known = self._known_networks() if self.warm_start else []
        self._set_networks(
            [
                self._trained(settings, table, validation, seed, number, autoencoder)
                for number, (seed, autoencoder) in enumerate(_paired(seeds, known))
            ]
        )
        self._optimizer_states = []
        self._measure(table)

    def _trained(self, settings, table, validation, seed, number, known):
        """Return one trained autoencoder, the number-th; it continues a known one."""
        watching = Watching(self.callbacks, self.verbose)

        def compute():
            return fit_autoencoder(
                settings, table, validation, seed, watching, Progress(known)
            )[0]

        if self.memory is None or self.callbacks or self.warm_start:
            return compute()
        from skae._memory import remembered  # few use it, and it needs packages

        settings.network.check_portable()
        tables = (table, validation)
        content = [vars(settings), [t and vars(t) for t in tables], number]
        return remembered(self.memory, self.random_state, content, compute)

    def _partial_fit_network(self, table):
        """Make one pass over a table, continuing where the last one ended."""
        known = self._known_networks()
        if not (known and hasattr(self, "_partial_fit_seed")):
            self._partial_fit_seed = seed_from(self.random_state)
        seeds = _seeds(self._partial_fit_seed, self._n_networks())
        states = getattr(self, "_optimizer_states", [])
        table = counted_rows(table, allow_nan=self._allows_nan, at_least=1)
        settings = self._settings().for_one_pass()
        watching = Watching(self.callbacks, self.verbose)
        passed = []
        for seed, autoencoder, state in _paired(seeds, known, states):
            history = {"loss": []} if autoencoder is None else autoencoder.history
            progress = Progress(autoencoder, state, len(history["loss"]))
            trained = fit_autoencoder(settings, table, None, seed, watching, progress)
            trained[0].history = _followed_by(history, trained[0].history)
            passed.append(trained)
        self._set_networks([autoencoder for autoencoder, _ in passed])
        self._optimizer_states = [state for _, state in passed]
        self._measure(table)

    def _known_networks(self):
        """Return the networks that there are, a list."""
        return [self.autoencoder_] if hasattr(self, "autoencoder_") else []

    def _set_networks(self, autoencoders):
        """Set the attributes that tell of the networks: of the first, where several."""
        first = self.autoencoder_ = autoencoders[0]
        self.history_ = first.history
        self.n_iter_ = len(first.history["loss"])
        self.scaler_ = first.scaler
        self.latent_shape_ = first.latent_shape

    def _measure(self, table):
        """Set what describes the reconstruction of the training rows."""
        n = len(table.X)
        chosen = slice(None)
        if n > _MEASURED_ROWS:
            chosen = np.linspace(0, n - 1, _MEASURED_ROWS).astype(int)
        parts = (table.X, table.y, table.weight)
        self.reconstruction_err_, self.r2_ = self.autoencoder_.goodness(
            *(None if part is None else part[chosen] for part in parts)
        )


def _seeds(seed, n):
    """Return the seeds of n networks; the first is the only one's."""
    others = (stream(seed, "networks", number) for number in range(1, n))
    return [seed, *(int(rng.integers(2**31 - 1)) for rng in others)]


def _paired(seeds, *known):
    """Return each seed with what is known of its network, None where nothing is."""
    return list(zip_longest(seeds, *(part[: len(seeds)] for part in known)))


def _followed_by(history, later):
    """Return a history and what came after it."""
    return {
        name: [*history.get(name, []), *later.get(name, [])]
        for name in {**history, **later}
    }
