"""How plain Python and the arrays of 32 bits of frameworks write what rates are made of."""

from __future__ import annotations

from sgdr.cycles import Number

WIDTH = 88
"""Characters of a line, at most, where numbers are of ordinary length."""


class Dialect:
    """Plain Python: numbers, and the module math."""

    xp = "math"
    """The namespace of sin, cos, exp and sqrt."""

    def name(self, field: str) -> str:
        """A field of the schedule, in the function from the step to the rate."""
        return field.upper()

    def least(self, one: str, other: str) -> str:
        """The lesser of two."""
        return f"min({one}, {other})"

    def most(self, one: str, other: str) -> str:
        """The greater of two."""
        return f"max({one}, {other})"

    def where(self, condition: str, one: str, other: str) -> str:
        """One of two."""
        return f"{one} if {condition} else {other}"

    def real(self, steps: str) -> str:
        """Whole steps as what may be divided by a float."""
        return steps

    def since(self, point: str) -> tuple[list[str], str]:
        """Lines, and what is then the number of steps since a point between steps."""
        return [], f"(step - {point})"

    def until(self, name: str, point: Number) -> tuple[list[str], str]:
        """Lines, and what is then the number of steps from here to that point, a field of that name."""
        return [], f"{self.name(name)} - step"

    def clipped(self, share: str) -> str:
        """The share from 0 to 1."""
        return self.most(self.least(share, "1.0"), "0.0")


class Arrays(Dialect):
    """The arrays of JAX; steps are ints of 32 bits, and all else floats of 32 bits."""

    xp = "jnp"

    def least(self, one: str, other: str) -> str:
        return f"{self.xp}.minimum({one}, {other})"

    def most(self, one: str, other: str) -> str:
        return f"{self.xp}.maximum({one}, {other})"

    def where(self, condition: str, one: str, other: str) -> str:
        return f"{self.xp}.where({condition}, {one}, {other})"

    def clipped(self, share: str) -> str:
        return f"{self.xp}.clip({share}, 0.0, 1.0)"

    def since(self, point: str) -> tuple[list[str], str]:
        return [
            _ceiling(point),
            f"passed = {self.real('step - whole')} + (whole - {point})",
        ], "passed"

    def until(self, name: str, point: Number) -> tuple[list[str], str]:
        if isinstance(point, int):
            return [], self.real(f"{self.name(name)} - step")
        to_go = self.real("whole - step")
        lines = [_ceiling(self.name(name)), f"to_go = {to_go} - (whole - {self.name(name)})"]
        return lines, "to_go"


def _ceiling(point: str) -> str:
    return f"whole = math.ceil({point})  # 32 bits hold ints, and what is left, exactly"


class Tensors(Arrays):
    """The tensors of Keras, in a class whose attributes are the fields."""

    xp = "ops"

    def name(self, field: str) -> str:
        return f"self.{field}"

    def real(self, steps: str) -> str:
        return f'ops.cast({steps}, "float32")'


PYTHON, JAX, KERAS = Dialect(), Arrays(), Tensors()
