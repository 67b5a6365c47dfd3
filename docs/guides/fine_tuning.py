"""Fine-tuning in PyTorch with short cycles at low rates, the backbone's a tenth of the head's.

For a network that exists, and new data of which there is little: trained on handwritten digits, it learns
from 100 images to read those of a camera in which 20 of 64 pixels are dead. Every group of parameters has
its own peak; all share the cycles and the floor. T_0 counts epochs. Needs the extras `torch` and
`workloads`.

Prints the test error with the dead pixels at each trough (the end of a cycle), and beside it what the same
steps give with one long cycle, and from new weights.
"""

from copy import deepcopy

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn import Linear, ReLU, Sequential

from sgdr.adapters.torch import CosineAnnealingWarmRestarts


def train_epoch(model, optimizer, x, y, batch=20):
    for chosen in torch.randperm(len(x)).split(batch):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x[chosen]), y[chosen]).backward()
        optimizer.step()


def error(model, x, y):
    return (model(x).argmax(1) != y).float().mean().item()


def network():
    return Sequential(Sequential(Linear(64, 64), ReLU(), Linear(64, 64), ReLU()), Linear(64, 10))


def fine_tune(model, x, y, x_test, y_test, T_0, budget):
    """The test error at each trough, and the rates of the two groups in each epoch."""
    backbone, head = model
    groups = [{"params": backbone.parameters(), "lr": 0.001}, {"params": head.parameters(), "lr": 0.01}]
    optimizer = torch.optim.AdamW(groups)
    scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=T_0, T_mult=1, eta_min=1e-5)
    errors, rates = {}, []
    for epoch in range(budget):
        rates.append(scheduler.get_last_lr())
        train_epoch(model, optimizer, x, y)
        scheduler.step()
        if scheduler.at_trough:
            errors[epoch + 1] = error(model, x_test, y_test)
    return errors, rates


def main(T_0=5, budget=50, pretraining=20, examples=100):
    torch.set_num_threads(1)  # the fastest for so small a network
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    split = train_test_split((images / 16).astype("float32"), labels, random_state=0, test_size=0.5)
    x, x_new, y, y_new = map(torch.from_numpy, split)
    x_new[:, torch.randperm(64)[:20]] = 0
    new = x_new[:examples], y_new[:examples], x_new[examples:], y_new[examples:]

    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(pretraining):
        train_epoch(model, optimizer, x, y)
    before = error(model, *new[2:])
    print(f"before fine-tuning: test error {before:.4f}")

    one_cycle, _ = fine_tune(deepcopy(model), *new, T_0=budget, budget=budget)
    new_weights, _ = fine_tune(network(), *new, T_0, budget)
    errors, rates = fine_tune(model, *new, T_0, budget)
    for epoch, value in errors.items():
        print(f"after epoch {epoch:2}: test error {value:.4f}")
    print(
        f"one cycle of {budget} epochs: {one_cycle[budget]:.4f}; from new weights: {new_weights[budget]:.4f}"
    )
    return {
        "before": before,
        "errors": errors,
        "one cycle": one_cycle,
        "new weights": new_weights,
        "rates": rates,
    }


if __name__ == "__main__":
    main()
