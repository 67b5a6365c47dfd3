"""Saving a training and going on with it: the broken run is the unbroken one, to the last bit.

For trainings that outlive their process. Everything about a scheduler follows from one number, the step, so
that a restored one cannot stand elsewhere in its cycle than the one that was saved. First `sgdr`'s own,
through JSON; then PyTorch, with the model and the optimizer, through `torch.save`. T_0 counts epochs. The
second half needs the extra `torch`: without, it is left out.

Prints where the restored scheduler stands, and whether the runs are the same.
"""

import json
import tempfile
from importlib.util import find_spec
from pathlib import Path

import sgdr


def plain(folder, stop, budget, T_0):
    """The rates of an unbroken run and of one that was stopped and restored."""

    def run(scheduler, epochs):
        rates = []
        for _ in range(epochs):
            rates += scheduler.get_lr()
            scheduler.step()
        return rates

    unbroken = run(sgdr.CosineAnnealingWarmRestarts(base_lr=0.1, T_0=T_0, T_mult=2), budget)

    scheduler = sgdr.CosineAnnealingWarmRestarts(base_lr=0.1, T_0=T_0, T_mult=2)
    before = run(scheduler, stop)
    path = folder / "scheduler.json"
    path.write_text(json.dumps(scheduler.state_dict()))

    restored = sgdr.CosineAnnealingWarmRestarts(base_lr=0.1, T_0=T_0, T_mult=2)
    restored.load_state_dict(json.loads(path.read_text()))
    print(f"restored: epoch {restored.last_epoch}, T_cur={restored.T_cur}, T_i={restored.T_i}")
    return unbroken, before + run(restored, budget - stop)


def with_torch(folder, stop, budget, T_0):
    """The rates and the final weights of an unbroken run and of one that was stopped and restored."""
    import torch

    from sgdr.adapters.torch import CosineAnnealingWarmRestarts

    x = torch.linspace(-3, 3, 50)[:, None]
    y = torch.sin(x)

    def new():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(1, 20), torch.nn.Tanh(), torch.nn.Linear(20, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        parts = {"model": model, "optimizer": optimizer}
        return parts | {"scheduler": CosineAnnealingWarmRestarts(optimizer, T_0=T_0, T_mult=2)}

    def run(parts, epochs):
        rates = []
        for _ in range(epochs):
            rates += parts["scheduler"].get_last_lr()
            parts["optimizer"].zero_grad()
            torch.nn.functional.mse_loss(parts["model"](x), y).backward()
            parts["optimizer"].step()
            parts["scheduler"].step()
        return rates

    def weights(parts):
        return torch.cat([p.detach().flatten() for p in parts["model"].parameters()])

    unbroken = new()
    rates = run(unbroken, budget)

    stopped = new()
    before = run(stopped, stop)
    torch.save({name: part.state_dict() for name, part in stopped.items()}, folder / "checkpoint.pt")

    restored = new()
    for name, state in torch.load(folder / "checkpoint.pt", weights_only=True).items():
        restored[name].load_state_dict(state)
    return rates, before + run(restored, budget - stop), weights(unbroken), weights(restored)


def main(stop=75, budget=200, T_0=50):
    with tempfile.TemporaryDirectory() as folder:
        unbroken, broken = plain(Path(folder), stop, budget, T_0)
        print(f"sgdr: {budget} epochs, stopped at {stop}: rates are the same: {broken == unbroken}")
        results = {"unbroken": unbroken, "broken": broken}
        if find_spec("torch"):
            rates, again, weights, restored = with_torch(Path(folder), stop, budget, T_0)
            print(f"PyTorch: rates are the same: {again == rates}; weights, too: {weights.equal(restored)}")
            results |= {"torch": rates, "torch broken": again, "weights": weights, "restored": restored}
    return results


if __name__ == "__main__":
    main()
