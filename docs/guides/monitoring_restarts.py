"""Watching a scheduler: when it restarts, where it stands in its cycle, and its rate.

For a log of a training. `sgdr.CosineAnnealingWarmRestarts` needs no framework; those of `sgdr.adapters` for
PyTorch and braintools have the same names. It says itself when a cycle begins (`at_restart`), so that no old
T_cur has to be remembered and compared. T_0 counts epochs, since `step()` comes once an epoch.

Prints every tenth epoch, and each restart as it comes: after 10, 30 and 70 epochs.
"""

import sgdr


def main(budget=100, T_0=10):
    scheduler = sgdr.CosineAnnealingWarmRestarts(base_lr=0.1, T_0=T_0, T_mult=2, eta_min=0.001)
    restarts = {}
    seen = []
    for epoch in range(budget):
        rate = scheduler.get_lr()[0]  # of this epoch, which would be trained here
        seen.append((rate, scheduler.T_cur, scheduler.T_i))
        if epoch % 10 == 0:
            print(f"Epoch {epoch:2}: LR={rate:.6f}, T_cur={scheduler.T_cur}, T_i={scheduler.T_i}")
        scheduler.step()
        if scheduler.at_restart:
            restarts[epoch + 1] = scheduler.get_lr()[0]
            print(f"Restart after {epoch + 1} epochs: LR back at {restarts[epoch + 1]:.6f}")
    return {"restarts": restarts, "seen": seen}


if __name__ == "__main__":
    main()
