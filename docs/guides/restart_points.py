"""Where a schedule restarts, asked of the schedule; and a schedule whose last cycle ends with the budget.

For planning: after which epochs to keep a model, and how long to train so that no cycle is cut off. T_0
counts epochs here; any unit will do, and the answers are in the same one.

Prints the restarts and the troughs (ends of cycles) of cycles of 100, 200, 400 ... epochs, the cycle in
which an epoch lies, and the four cycles that fill 900 epochs.
"""

import sgdr


def main(budget=3200):
    schedule = sgdr.WarmRestarts(base_lr=0.01, T_0=100, T_mult=2, eta_min=0.0001)
    starts = [0, *schedule.restarts(until=budget)]
    print(f"Cycles begin at epochs: {starts}")

    # After so many epochs a cycle is complete, and the model has been trained at the lowest rates: keep it.
    troughs = schedule.troughs(budget=budget)
    print(f"Troughs after {troughs} epochs")

    cycle = schedule.cycle(1000)
    print(f"Epoch 1000 is at position {cycle.position} of {cycle.length} in cycle {cycle.index}")

    # With T_0=100, a budget of 900 would end in the middle of the fourth cycle.
    closed = sgdr.WarmRestarts.closing(budget=900, cycles=4, T_mult=2, base_lr=0.01, eta_min=0.0001)
    print(f"Four cycles in 900 epochs: T_0={closed.T_0}, troughs after {closed.troughs(budget=900)}")
    return {"starts": starts, "troughs": troughs, "cycle": cycle, "closed": closed}


if __name__ == "__main__":
    main()
