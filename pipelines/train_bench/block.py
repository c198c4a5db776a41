"""What is measured together: one backbone at one size on one device, all methods and loops in turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from benchmark.costs import Recipe
from benchmark.training.fit import Fit
from pipelines.train_bench import compiled, gpu, timing
from pipelines.train_bench import quantities as q
from pipelines.train_bench.bare import Bare, bf16_loss, own_loss, plain_loss, ready
from pipelines.train_bench.peers import PEERS
from pipelines.train_bench.problem import Shape, fit_of, recipe_of
from pipelines.train_bench.rows import Row, rounded
from pipelines.train_bench.seeds import Together

Action = Callable[[], object]


@dataclass
class Block:
    """A shape, a device, and what is timed there.

    Attributes:
        methods: Configurations.
        seeds: How many seeds are trained together, each number a loop.
        compiles: Whether ``erm`` is compiled.
        notes: Why something was not measured, after :meth:`run`.
    """

    shape: Shape
    methods: Sequence[str]
    device: str
    threads: int = 1
    seeds: Sequence[int] = ()
    compiles: bool = False
    notes: list[str] = field(default_factory=list)
    measured: list[tuple[str, str, float, int]] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"[{self.device}] {self.shape.backbone}, {self.shape.px} px, batch {self.shape.batch}"

    def run(self, seconds: float, least: int, after: Callable[[float, int], None]) -> list[Row]:
        """All rows; ``after`` is told of the part that is done.

        Args:
            seconds: Of all rounds, an equal part for each group; what comes before them is not in it.
            least: Rounds at any rate.
            after: Told of the groups done, the last in part, and of their number.
        """
        self.measured = []
        count = len(self.methods) + (q.PLAIN[0] in self.methods)
        clock = timing.clock_of(self.device, self.threads)
        found: list[tuple[str, str, float, int]] = []
        for number, (actions, beside) in enumerate(self.groups()):

            def tell(done: int, of: int, number: int = number) -> None:
                after(number + done / of, count)

            times = timing.sampled(actions, clock, seconds / count, least, tell)
            rounds = min(map(len, times.values()))
            per_step = {key: spent / self.units(key) for key, spent in times.items()}
            found += [(*row, rounds) for row in q.told(per_step, self.shape.batch, beside)]
            for method in (method for method, loop in actions if loop == q.FIT):
                self.look_at_gpu(method, actions[method, q.FIT])
        return [self.row(*each) for each in (*found, *self.measured)]

    def look_at_gpu(self, method: str, action: Action) -> None:
        """How busy it is; a note says why that is not known."""
        busy, why = gpu.utilisation(action, self.device)
        if self.device != "cpu":
            self.measured.append((method, "gpu_utilisation", busy, 1))
        if why:
            self.notes.append(f"GPU utilisation: {why}")

    def units(self, key: q.Key) -> int:
        """Steps of one seed that a call takes."""
        seeds = int(key[1].removeprefix(q.SEEDS)) if key[1].startswith(q.SEEDS) else 1
        return self.shape.steps * seeds

    def groups(self) -> Iterator[tuple[dict[q.Key, Action], list[q.Key]]]:
        """What is timed in turn, and what of it stands there to be compared with: the bare step of ``erm``.

        One group a method, so that a dear one does not take the rounds of a cheap one, and one of the ways to train
        ``erm``.
        """
        plain: dict[q.Key, Action] = {}
        for method in sorted(self.methods, key=lambda name: name != q.PLAIN[0]):
            fit = fit_of(recipe_of(method, self.shape), self.shape, self.device)
            batches, is_plain = ready(fit), method == q.PLAIN[0]
            of_it: dict[q.Key, Action] = {(method, q.FIT): fit.train_epoch}
            of_it[method, q.BARE] = Bare(fit, batches, plain_loss if is_plain else own_loss(fit))
            if method in PEERS:
                theirs = Bare(fit, batches, plain_loss, torch.contiguous_format)  # as their code has it
                theirs.loss = PEERS[method](theirs.network)
                of_it[method, q.AUTHORS] = theirs
            yield plain | of_it, list(plain)
            if is_plain:
                plain = {q.PLAIN: of_it[q.PLAIN]}
                yield plain | {(method, loop): action for loop, action in self.ways(fit)}, list(plain)

    def ways(self, fit: Fit) -> Iterator[tuple[str, Action]]:
        """Other ways to train ``erm``."""
        batches = ready(fit)
        unshifted = recipe_of("erm", self.shape, shift=0)
        yield q.UNSHIFTED, fit_of(unshifted, self.shape, self.device).train_epoch
        yield q.UNFILLED, unfilled(fit_of(recipe_of("erm", self.shape), self.shape, self.device).train_epoch)
        yield q.CONTIGUOUS, Bare(fit, batches, plain_loss, torch.contiguous_format)
        yield q.BF16, Bare(fit, batches, bf16_loss)
        for count in self.seeds:
            yield f"{q.SEEDS}{count}", self.together(unshifted, count)
        if self.compiles:
            yield from self.compiled(Bare(fit, batches, plain_loss))

    def together(self, recipe: Recipe, count: int) -> Together:
        """So many seeds, each with its own order of the images."""
        fits = [fit_of(recipe, self.shape, self.device, seed) for seed in range(count)]
        return Together(fits, [ready(fit) for fit in fits])

    def compiled(self, bare: Bare) -> Iterator[tuple[str, Action]]:
        """The compiled loop, if this machine has a compiler; else a note."""
        seconds, why = math.nan, compiled.missing() if self.device == "cpu" else ""
        if not why:
            try:
                seconds = compiled.compile_step(bare)
            except RuntimeError as error:  # of the compiler, whichever it is
                why = str(error).splitlines()[0]
        self.measured.append(("erm", "compile_seconds", seconds, 0 if why else 1))
        if why:
            self.notes.append(f"torch.compile: {why}")
        else:
            yield q.COMPILED, bare

    def row(self, method: str, quantity: str, value: float, repeats: int) -> Row:
        """A row of the table."""
        s, device = self.shape, "cpu" if self.device == "cpu" else torch.cuda.get_device_name()
        place = s.backbone, s.px, s.batch, quantity, rounded(value), repeats, device, self.threads
        return Row(method, *place, torch.__version__)


def unfilled(action: Action) -> Action:
    """The same without a fill of fresh memory, which PyTorch's deterministic mode adds to find reads of nothing."""

    def run() -> None:
        switch: Any = torch.utils.deterministic
        before, switch.fill_uninitialized_memory = switch.fill_uninitialized_memory, False
        try:
            action()
        finally:
            switch.fill_uninitialized_memory = before

    return run
