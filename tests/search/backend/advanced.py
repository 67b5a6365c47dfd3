"""What a slot of a population gives, for tests."""

from sgdr.search.backend.population import Population
from sgdr.search.backend.slots import FINITE


def curves(population: Population, slot: int, epochs: int) -> dict[str, list[float]]:
    """The values of a slot, advanced in calls of different lengths."""
    rows: dict[str, list[float]] = {}
    while epochs:
        call = min(epochs, 1 + len(rows.get(FINITE, ())) % 3)
        for name, values in population.advance(call).read().items():
            rows.setdefault(name, []).extend(values[:, slot].tolist())
        epochs -= call
    return rows
