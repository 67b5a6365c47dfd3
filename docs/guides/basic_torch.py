"""Restarts in PyTorch: the scheduler of sgdr in place of PyTorch's own, stepped each epoch or each batch.

The name, the arguments and the states are those of `torch.optim.lr_scheduler`, so that the import is all
that changes. T_0 counts what `step()` counts: epochs in the first training, batches in the second, where the
rate falls smoothly. (A third way is as good: `step(epoch + batch / batches)`, with T_0 in epochs.) Needs the
extras `torch` and `workloads`.

Prints the test error of a small network on handwritten digits at each trough, the end of a cycle.
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sgdr.adapters.torch import CosineAnnealingWarmRestarts

BATCH = 64


def main(T_0=10, budget=70):
    torch.set_num_threads(1)  # the fastest for so small a network
    images, labels = load_digits(return_X_y=True)
    split = train_test_split((images / 16).astype("float32"), labels, random_state=0)
    x, x_test, y, y_test = map(torch.from_numpy, split)
    batches = len(x) // BATCH

    def train(per_batch):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        scheduler = CosineAnnealingWarmRestarts(
            optimizer, T_0=T_0 * batches if per_batch else T_0, T_mult=2, eta_min=1e-6
        )
        rates, errors = [], {}
        for epoch in range(budget):
            for batch in torch.randperm(len(x))[: batches * BATCH].reshape(batches, BATCH):
                rates.append(optimizer.param_groups[0]["lr"])
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
                optimizer.step()
                if per_batch:
                    scheduler.step()
            if not per_batch:
                scheduler.step()
            if scheduler.at_trough:
                errors[epoch + 1] = (model(x_test).argmax(1) != y_test).float().mean().item()
                print(f"after epoch {epoch + 1:2}: test error {errors[epoch + 1]:.4f}")
        return {"rates": rates, "errors": errors}

    print("a step each epoch")
    per_epoch = train(per_batch=False)
    print("a step each batch")
    return {"per epoch": per_epoch, "per batch": train(per_batch=True), "batches": batches}


if __name__ == "__main__":
    main()
