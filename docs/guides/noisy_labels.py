"""Do restarts help where labels are wrong? Measured: restarts, one cosine cycle and a constant rate.

It is often said that they do. This is how to see for a case of one's own: `search.compare` trains schedules
on the same seeds and gives their differences, paired by seed. The data are the digits with 30 % of the
training labels drawn anew; validation is clean. T_0 counts epochs.

Peaks matter more than shapes: each shape first finds the best of some peaks, and is then trained with it on
seeds that are new. Each run is read at its best epoch, chosen on other examples than it is read on, as by
whoever keeps checkpoints; and again at its end. The fourth shape is the first cycle of the restarts and then
nothing: what it reaches is not owed to restarts. Needs the extra `workloads`.

Prints the errors, and by how much restarts differ from the others, with 95 % intervals. Here restarts did
not help: half of their best epochs lay in the first cycle, which was as good by itself, and the best of all
at the end, since it stops before the wrong labels are learnt.
"""

from functools import partial

from sgdr import WarmRestarts, search

SHAPES = {
    "restarts": lambda peak, budget: WarmRestarts.closing(budget, cycles=3, T_mult=2, base_lr=peak),
    "one cosine": lambda peak, budget: WarmRestarts(peak, T_0=budget),
    "constant": lambda peak, budget: WarmRestarts(peak, T_0=budget, eta_min=peak),
    "first cycle": lambda peak, budget: WarmRestarts(peak, T_0=budget // 7, cycles=1),
}


def main(budget=84, peaks=(0.003, 0.01, 0.03, 0.1), tries=8, seeds=32, objectives=("best-epoch", "final")):
    results = {}
    for objective in objectives:
        compare = partial(search.compare, "digits-noisy", budget=budget, objective=objective)
        candidates = {
            f"{name} {peak}": shape(peak, budget) for name, shape in SHAPES.items() for peak in peaks
        }
        errors = compare(candidates, seeds=tries, seed=0).values.mean()
        best = [
            min((candidate for candidate in candidates if candidate.startswith(name)), key=errors.get)
            for name in SHAPES
        ]
        results[objective] = result = compare(
            {candidate: candidates[candidate] for candidate in best}, seeds=seeds, seed=1
        )
        print(f"\n{result}")
        for other in best[1:]:
            apart = result.difference(best[0], other)
            print(f"{best[0]} minus {other}: {apart.mean:+.4f} ({apart.low:+.4f} to {apart.high:+.4f})")
    return results


if __name__ == "__main__":
    main()
