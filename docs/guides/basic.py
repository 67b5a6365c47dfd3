"""Restarts with a fixed period, in braintools: its optimizer follows the scheduler of sgdr.

The name and the arguments are those of braintools' own scheduler, so that the import is all that changes.
T_0 counts epochs, since `scheduler.step()` comes once an epoch: with T_0=50 the rate is back at its peak
after 50, 100 and 150 epochs. Needs the extras `braintools` and `workloads`.

Prints the test error of a small network on handwritten digits just before each restart, and at the end.
"""

import brainstate
import braintools
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sgdr.adapters.braintools import CosineAnnealingWarmRestarts

BATCH = 64


def main(T_0=50, budget=200):
    images, labels = load_digits(return_X_y=True)
    x, x_test, y, y_test = map(jnp.asarray, train_test_split(images / 16, labels, random_state=0))

    brainstate.random.seed(0)
    model = brainstate.nn.Sequential(
        brainstate.nn.Linear(64, 32), brainstate.nn.ReLU(), brainstate.nn.Linear(32, 10)
    )
    weights = model.states(brainstate.ParamState)
    scheduler = CosineAnnealingWarmRestarts(base_lr=0.1, T_0=T_0, T_mult=1, eta_min=0.001)
    optimizer = braintools.optim.SGD(lr=scheduler, momentum=0.9)
    optimizer.register_trainable_weights(weights)

    @brainstate.transform.jit
    def train_epoch(batches):
        def train_batch(batch):
            def loss():
                return braintools.metric.softmax_cross_entropy_with_integer_labels(
                    model(x[batch]), y[batch]
                ).mean()

            optimizer.step(brainstate.transform.grad(loss, weights)())

        brainstate.transform.for_loop(train_batch, batches)

    rng = np.random.default_rng(0)
    rates, errors = [], {}
    for epoch in range(budget):
        rates.append(float(optimizer.current_lr))
        train_epoch(rng.permutation(len(x))[: len(x) // BATCH * BATCH].reshape(-1, BATCH))
        scheduler.step()
        if scheduler.at_trough:
            errors[epoch + 1] = float((model(x_test).argmax(1) != y_test).mean())
            print(f"after epoch {epoch + 1:3}: test error {errors[epoch + 1]:.4f}")
    return {"rates": rates, "errors": errors}


if __name__ == "__main__":
    main()
