"""skae's rivals in ``speed.py``, each as a careful user writes it.

Importing this module imports none of them: a first fit in a process counts that.
"""

import warnings
from itertools import pairwise

import numpy as np


def mlp(X, seed, epochs, batch_size, units):
    """Return layers of ReLUs by scikit-learn's ``MLPRegressor``, fitted."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MLPRegressor(
            hidden_layer_sizes=units,
            alpha=0.0,
            batch_size=min(batch_size, len(X)),
            max_iter=epochs,
            n_iter_no_change=epochs + 1,
            tol=0.0,
            random_state=seed,
        ).fit(X, X)


def torch_loop(X, seed, epochs, batch_size, units, loss):
    """Return layers of ReLUs down to the last of ``units`` and back, by PyTorch.

    A function that reconstructs. Batches are taken by index, which is faster than a
    DataLoader; Adam is fused and has Keras's epsilon; weights start as Keras's.
    """
    import torch

    torch.manual_seed(seed)
    sizes = [X.shape[1], *units, *units[-2::-1], X.shape[1]]
    layers = []
    for n_in, n_out in pairwise(sizes):
        linear = torch.nn.Linear(n_in, n_out)
        torch.nn.init.xavier_uniform_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
        layers += [linear, torch.nn.ReLU()]
    layers[-1] = torch.nn.Sigmoid()
    model = torch.nn.Sequential(*layers)
    criterion = {"mse": torch.nn.MSELoss, "mae": torch.nn.L1Loss}[loss]()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    rows = torch.from_numpy(np.ascontiguousarray(X, np.float32))
    for _ in range(epochs):
        for chosen in torch.randperm(len(rows)).split(batch_size):
            x = rows[chosen]
            optimizer.zero_grad()
            criterion(model(x), x).backward()
            optimizer.step()
    return torch_reconstruct(model)


def torch_reconstruct(model):
    """Return a function from rows to what a PyTorch model makes of them."""
    import torch

    def reconstruct(X):
        with torch.no_grad():
            return model(torch.from_numpy(np.ascontiguousarray(X, np.float32))).numpy()

    return reconstruct


def pyod_detector(X, seed, epochs, batch_size, units):
    """Return PyOD's AutoEncoder, fitted, without what the others do not have.

    Its optimizer is Adam and its loss the mean squared error; it has no other.
    """
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(
        preprocessing=False,
        epoch_num=epochs,
        batch_size=min(batch_size, len(X)),  # it leaves an incomplete batch out
        hidden_neuron_list=list(units),
        batch_norm=False,
        dropout_rate=0.0,
        optimizer_params={},
        random_state=seed,
        verbose=0,
    ).fit(X)


def matrix_products(n_rows, n_in, width, epochs, batch_size, n_threads):
    """Make the matrix products of a training of one layer each way, and no more."""
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)

    def array(*shape):
        return rng.standard_normal(shape, np.float32)

    x, code, output = (array(batch_size, n) for n in (n_in, width, n_in))
    down, up = array(n_in, width), array(width, n_in)
    gradients = np.empty_like(down), np.empty_like(up), np.empty_like(code)
    with threadpool_limits(n_threads, user_api="blas"):
        for _ in range(epochs * -(-n_rows // batch_size)):
            np.matmul(x, down, out=code)
            np.matmul(code, up, out=output)
            np.matmul(code.T, output, out=gradients[1])
            np.matmul(output, up.T, out=gradients[2])
            np.matmul(x.T, gradients[2], out=gradients[0])
