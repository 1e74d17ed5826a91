"""What every optimiser does: it holds parameters, counts steps, ends runs and can be resumed."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from scg._memory import require_memory
from scg._recording import keeps_state, recorder
from scg._run import check_marks, end_run, gradients_cleared
from scg._typing import Array
from scg.checkpoint import require_match
from scg.errors import CheckpointError, NonFiniteError, OptionError
from scg.kernels.optim import Rule, Scalars, Updates
from scg.optim._options import Parameters, Schedule, named, nonnegative

__all__ = ["Optimizer"]


class Optimizer:
    """Base of the optimisers.

    Attributes
    ----------
    params : list of Tensor
        What is trained.
    lr : float or callable
        The step size, or a schedule that maps the number of steps done to it. May be changed at
        any time.
    steps : int
        How many steps were done.
    options : dict
        The other numbers of the rule; fixed, so that a resumed run cannot differ by accident.

    Notes
    -----
    A subclass names its rule in `_rule` and its state arrays in `_slots`, and gives the scalars of
    an update in `_scalars`.
    """

    _rule: ClassVar[Rule]
    _slots: ClassVar[tuple[str, ...]] = ()  # one array of the parameter's shape for each

    def __init__(
        self, params: Parameters, lr: float | Schedule, *, check_finite: bool, **options: Any
    ) -> None:
        keeps_state(self)
        self._named = named(type(self).__name__, params)
        self.params = list(self._named.values())
        self.lr = lr
        self.steps = 0
        self.check_finite = check_finite
        self.options = options
        self._require_room()
        self._state = {
            name: {slot: np.zeros(p.shape, p.dtype) for slot in self._slots}
            for name, p in self._named.items()
        }
        # Not `steps`: a parameter that was skipped has not seen the bias of its zero start.
        self._updates = dict.fromkeys(self._named, 0)
        self._last: tuple[list[Array], Updates] | None = None

    def _require_room(self) -> None:
        """Refuse what the first step could not hold: a gradient and the slots of each parameter."""
        arrays = 1 + len(self._slots)
        require_memory(
            type(self).__name__,
            f"gradients and state of {sum(p.size for p in self.params)} numbers",
            sum(arrays * p.size * p.dtype.itemsize for p in self.params),
        )

    def __repr__(self) -> str:
        lr = "schedule" if callable(self._lr) else f"{self._lr:g}"
        options = "".join(f", {name}={value}" for name, value in self.options.items())
        count = f"{len(self.params)} parameter{'s' if len(self.params) != 1 else ''}"
        return f"{type(self).__name__}({count}, lr={lr}{options}, steps={self.steps})"

    @property
    def lr(self) -> float | Schedule:
        """The step size, or the schedule it follows."""
        return self._lr

    @lr.setter
    def lr(self, value: float | Schedule) -> None:
        self._lr = value if callable(value) else nonnegative(type(self).__name__, lr=value)[0]

    @property
    def rate(self) -> float:
        """The step size of the next step."""
        if not callable(self._lr):
            return self._lr
        try:
            return nonnegative(type(self).__name__, lr=self._lr(self.steps))[0]
        except OptionError as error:
            raise OptionError(f"{error} (from its schedule, at step {self.steps})") from None

    def step(self) -> None:
        """Update the parameters that have a gradient, in place, and end the run.

        A backward that is still pending on the old values refuses afterwards.

        Raises
        ------
        NonFiniteError
            With `check_finite`, if a gradient holds a NaN or an infinity; nothing was changed.
        OptionError
            If the schedule returns a step size that is negative or not finite.
        """
        check_marks()  # before anything is changed
        rate, here = self.rate, recorder()
        if here is not None:
            for p in self.params:
                here.sees_gradient(p._leaf("update"))
        gradients = {}
        for name, p in self._named.items():
            g = p._leaf("update").grad
            if g is not None:
                gradients[name] = g
        self._require_finite(gradients)
        if here is not None:
            here.update(self, gradients)
        self._advance(gradients, rate)
        end_run(updated=True)

    def _advance(self, gradients: Mapping[str, Array], rate: float) -> None:
        """Update the parameters with those names, in one pass, and count the step."""
        if gradients:
            updates = self._pass(gradients)
            for name in gradients:
                self._updates[name] += 1
            counts = [self._updates[name] for name in gradients]
            scalars = {count: self._scalars(rate, count) for count in set(counts)}
            updates.set([scalars[count] for count in counts])
            updates.run(list(gradients.values()))
            for name in gradients:
                self._named[name]._leaf("update").note_update()
        self.steps += 1

    def _pass(self, gradients: Mapping[str, Array]) -> Updates:
        """Return the pass over these parameters: that of the last step, if they are the same."""
        places = [self._named[name]._data for name in gradients]
        if self._last is not None:
            known, updates = self._last
            if len(known) == len(places) and all(map(operator.is_, known, places)):
                return updates
        updates = Updates(
            self._rule,
            [
                (p, g, *self._state[name].values())
                for p, (name, g) in zip(places, gradients.items(), strict=True)
            ],
        )
        self._last = places, updates
        return updates

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the pass: its addresses are those of the arrays that were copied."""
        return {**self.__dict__, "_last": None}

    def _scalars(self, rate: float, count: int) -> Scalars:
        """Return the scalars of a parameter's update; `count` is its number, from 1."""
        raise NotImplementedError(f"{type(self).__name__} defines no _scalars")

    def _require_finite(self, gradients: Mapping[str, Array]) -> None:
        """Refuse gradients with NaN or infinities, if the optimiser was told to."""
        if not self.check_finite:
            return
        for name, g in gradients.items():
            bad = g.size - np.count_nonzero(np.isfinite(g))
            if bad:
                raise NonFiniteError(
                    f"{type(self).__name__}: {bad} of {g.size} gradient elements of parameter "
                    f"'{self._named[name].name or name}' are NaN or infinite at step {self.steps}; "
                    "nothing was updated; try a smaller lr, or clip the gradients"
                )

    def zero_grad(self) -> None:
        """Forget the accumulated gradients; ends the run, if no draws of it await backward."""
        for p in self.params:
            p._leaf("zero the gradient of").forget()
        gradients_cleared()

    # --- resuming ----------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return what a bitwise resumption needs beside the parameters.

        Returns
        -------
        arrays : dict of str to Array
            Copies of the state arrays, by parameter and slot.
        state : dict
            Plain JSON: the rule and its options, the counts, and `lr` unless it is a schedule.
        """
        arrays = {key: array.copy() for key, array in self._arrays().items()}
        lr = None if callable(self._lr) else self._lr
        counts = {"steps": self.steps, "updates": list(self._updates.values())}
        return arrays, {**self._settings(), **counts, "lr": lr}

    def load_state(self, arrays: Mapping[str, Array], state: Mapping[str, Any]) -> None:
        """Take over what `state` returned; all of it, or nothing if anything is wrong.

        Parameters
        ----------
        arrays, state
            From `state`, of an optimiser of the same rule, options and parameters.

        Raises
        ------
        CheckpointError
            If something is missing, left over or different; it names what.
        """
        who = type(self).__name__
        own = self._arrays()
        require_match(
            f"the state given to {who}", arrays, state, like=own, settings=self._settings()
        )
        steps, updates = self._counts(state)
        lr = state.get("lr")
        if (lr is None) != callable(self._lr):
            was, now = ("schedule", "number") if lr is None else ("number", "schedule")
            raise CheckpointError(
                f"the state given to {who} was saved with a {was} as lr, and here lr is a {now}; "
                "construct the optimiser as it was"
            )
        if lr is not None:
            self.lr = lr
        self.steps, self._updates = steps, dict(zip(self._updates, updates, strict=True))
        for key, array in own.items():
            array[...] = arrays[key]

    def _arrays(self) -> dict[str, Array]:
        return {
            f"{name}.{slot}": array
            for name, slots in self._state.items() for slot, array in slots.items()
        }  # fmt: skip

    def _settings(self) -> dict[str, Any]:
        return {"rule": type(self).__name__, **self.options}

    def _counts(self, state: Mapping[str, Any]) -> tuple[int, list[int]]:
        steps, updates = state.get("steps"), state.get("updates")
        if not (
            isinstance(steps, int) and steps >= 0
            and isinstance(updates, list) and len(updates) == len(self.params)
            and all(isinstance(n, int) and 0 <= n <= steps for n in updates)
        ):  # fmt: skip
            raise CheckpointError(
                f"the state given to {type(self).__name__} has steps={steps!r} and "
                f"updates={updates!r}; they must count the steps, and the updates of each of "
                f"{len(self.params)} parameters"
            )
        return steps, updates
