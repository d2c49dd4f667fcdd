"""The one seam between methods of planning and how their candidates are computed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from torch import Tensor

from vjepa_mpc.planning.compute.batches import Evaluator, Problem, Start
from vjepa_mpc.planning.compute.budget import Budget, Clock, Pace, TimeBudget, Unlimited
from vjepa_mpc.planning.compute.graphs import Capture, GraphedIteration, Tensors, capture_cuda_graph
from vjepa_mpc.planning.compute.memory import choose_micro_batch
from vjepa_mpc.planning.compute.ranks import Ranks, ShardedEvaluator
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.objectives.interface import Objective
from vjepa_mpc.planning.search import Search
from vjepa_mpc.worldmodel.interface import WorldModel

logger = logging.getLogger(__name__)

_WANTED_ITERATIONS = 4  # within a time budget


class Score(Protocol):
    """Predicts action sequences and gives their energies."""

    def __call__(self, actions: Tensor, reserve: int = 0) -> Tensor:
        """See :meth:`Scorer.__call__`."""
        ...


Iteration = Callable[[Search, Score, Tensor, Tensor], bool]
"""One iteration of a search from rivals [H, P, 4] and noise [H, S, 4]; False when there was not the time for all."""


class Compute:
    """Makes a :class:`Scorer` for each plan and keeps what they have in common: micro-batches and a recorded graph.

    Args:
        world_model: predicts latents.
        config: horizon, numbers of candidates, and limits of time and memory.
        objective: scores what is predicted.
        pace: measured times, by which a time budget is kept.
        clock: seconds, monotonic.
        ranks: processes that share the candidates.
        capture: records iterations for ``cuda_graphs``; as CUDA graphs on a GPU when not given.
    """

    def __init__(
        self,
        world_model: WorldModel,
        config: CEMConfig,
        objective: Objective,
        *,
        pace: Pace,
        clock: Clock = time.perf_counter,
        ranks: Ranks | None = None,
        capture: Capture | None = None,
    ) -> None:
        self.world_model, self.config, self.objective = world_model, config, objective
        self.pace, self.clock, self.ranks = pace, clock, ranks
        if ranks is not None and ranks.leads and ranks.count > config.samples:
            logger.warning("%d ranks for samples=%d: some are not needed", ranks.count, config.samples)
        # Candidates at once, by observed frames. Chosen once: what is free changes with what PyTorch keeps for later,
        # and other batches would have to be compiled and recorded anew. Halved for good when memory runs out.
        self.micro_batches: dict[int, int] = {}
        self.graph = self._make_graph(capture)
        self.candidates_recorded = 0  # of a recorded iteration

    def begin(
        self,
        context: Tensor,
        pose: Tensor,
        goal: Tensor,
        past_actions: Tensor | None = None,
        started: float | None = None,
    ) -> Scorer:
        """The scorer of one plan, which began at ``started`` on the clock or now; :class:`Problem` has the inputs."""
        past = pose.new_empty(0, pose.shape[-1]) if past_actions is None else past_actions
        device = self.world_model.device
        problem = Problem(*(value.to(device) for value in (context, pose, goal, past)))
        return Scorer(self, problem, self._budget(self.clock() if started is None else started))

    def starter(self, problem: Problem) -> Start:
        """Starts rollouts from the problem's context."""
        context, pose, _, past = problem
        return lambda samples: self.world_model.start_rollout(context, pose, samples, self.config.rollout, past)

    def micro_batch(self, problem: Problem) -> int:
        """How many candidates are predicted at once."""
        return self.micro_batches.get(problem.frames) or self._choose_micro_batch(problem)

    def _choose_micro_batch(self, problem: Problem) -> int:
        """As many as memory admits of a usual iteration's candidates, or of this rank's share of them."""
        config, shares = self.config, 1 if self.ranks is None else self.ranks.count
        kept = (
            round(config.keep_elites * config.topk) if config.warm_start else 0
        )  # join a warm start's first iteration
        candidates = -(-(config.samples + int(config.mean_candidate) + kept) // shares)
        return choose_micro_batch(config, self.world_model, candidates, problem.frames)

    def _budget(self, started: float) -> Budget:
        seconds = self.config.time_budget
        if seconds is None:
            return Unlimited()
        return TimeBudget(started, seconds, self.pace, self.world_model.device, self.clock)

    def _make_graph(self, capture: Capture | None) -> GraphedIteration | None:
        """None where iterations are not recorded: their shapes must be the same, and no clock or rank be asked."""
        config, device = self.config, self.world_model.device
        if not config.cuda_graphs:
            return None
        if capture is None and device.type == "cuda":
            capture = partial(capture_cuda_graph, device=device)
        obstacles = {
            f"device={device}": capture is None,
            f"time_budget={config.time_budget}": config.time_budget is not None,
            f"sample_decay={config.sample_decay}": config.sample_decay > 1.0,
            "several ranks": self.ranks is not None,
        }
        found = [obstacle for obstacle, present in obstacles.items() if present]
        if capture is None or found:
            logger.warning("cuda_graphs has no effect with %s: planning goes on without", " and ".join(found))
            return None
        return GraphedIteration(capture)


class Scorer:
    """Scores the candidates of one plan: within memory and time, on all ranks, by a recorded graph where there is one.

    Attributes:
        most_samples: how many samples an iteration should have. When time is short, some iterations with fewer samples
            find more than one with many.
    """

    def __init__(self, compute: Compute, problem: Problem, budget: Budget) -> None:
        self._compute, self._problem, self._budget = compute, problem, budget
        evaluator_budget = budget if compute.ranks is None else Unlimited()
        self._own = Evaluator(
            compute.starter(problem), problem, compute.objective, compute.micro_batch(problem), evaluator_budget
        )
        self._evaluate = self._own if compute.ranks is None else ShardedEvaluator(self._own, budget, compute.ranks)
        self._more = 0  # candidates predicted by replays and for derivatives
        self.most_samples = self._most_samples()

    @property
    def predicted(self) -> int:
        """Candidates predicted so far."""
        return self._evaluate.predicted + self._more

    def __call__(self, actions: Tensor, reserve: int = 0) -> Tensor:
        """Energies of the action sequences [H, S, 7]: of all [S], or of the first ones when time runs out.

        Energies are float32, lower is better; actions are float32 as in :class:`~vjepa_mpc.planning.result.Candidates`.

        Time for predicting ``reserve`` more candidates is left over.

        Raises:
            torch.OutOfMemoryError: there is no room for a single candidate.
            ValueError: the objective returned something else than one energy per candidate.
            RankLostError: another rank is gone.
        """
        return self._evaluate(actions, reserve)

    def gradients(self, actions: Tensor, cost: int) -> tuple[Tensor, Tensor] | None:
        """Energies [S] of action sequences [H, S, 7] and their derivatives [H, S, 7]; None when time has run out.

        Rank 0 computes all of them, which are few, and the others learn them.

        Args:
            actions: to predict, float32 as in :class:`~vjepa_mpc.planning.result.Candidates`.
            cost: how many plain predictions take as long as one with its derivative.

        Raises:
            ValueError: the world model's predictions cannot be differentiated.
        """
        candidates, ranks = actions.shape[1], self._compute.ranks
        if not self._agreed(self._budget.candidates_left(self._own.micro_batch) >= cost * candidates):
            return None
        self._more += candidates
        if ranks is None:
            return self._own.gradients(actions)
        found = self._own.gradients(actions) if ranks.leads else (actions.new_empty(candidates), actions.clone())
        return ranks.as_leader(found[0]), ranks.as_leader(found[1])

    def iterate(self, iteration: Iteration, search: Search, rivals: Tensor, noise: Tensor) -> bool:
        """Do one iteration, as a replay of a CUDA graph where that can be; False when the time did not suffice."""
        repeats = bool(search.energies) and search.history is None  # the first iteration has other shapes
        if repeats and self._replay(iteration, search, noise):
            return True
        return iteration(search, self, rivals, noise)

    def below(self, value: Tensor, bound: float) -> bool:
        """Whether a value is below a bound; waits for the device. All ranks get rank 0's answer.

        Unlike devices may differ in the last bit, and a rank that goes on alone would wait for the others forever.
        """
        return self._agreed(float(value) < bound)

    def finish(self) -> None:
        """The plan is ready: what was learnt about memory and time is kept for the next one."""
        self._compute.micro_batches[self._problem.frames] = self._own.micro_batch
        self._budget.finish()

    def _agreed(self, own: bool) -> bool:
        return own if self._compute.ranks is None else bool(self._compute.ranks.agree(int(own)))

    def _most_samples(self) -> int:
        config, ranks = self._compute.config, self._compute.ranks
        left = self._budget.candidates_left(self._own.micro_batch)
        affordable = left / min(config.cem_steps, _WANTED_ITERATIONS)
        most = int(min(config.samples, max(affordable, 2 * config.topk)))
        return most if ranks is None else ranks.agree(most)

    def _replay(self, iteration: Iteration, search: Search, noise: Tensor) -> bool:
        """The iteration as a replay; False where there is none, and nothing has happened."""
        compute, micro_batch = self._compute, self._own.micro_batch
        if compute.graph is None:
            return False

        def recorded(
            context: Tensor, pose: Tensor, goal: Tensor, past: Tensor, noise: Tensor, *state: Tensor
        ) -> Tensors:
            problem, twin = Problem(context, pose, goal, past), search.twin(state)
            start, objective = compute.starter(problem), compute.objective
            score = Evaluator(start, problem, objective, micro_batch, Unlimited(), recorded=True)
            iteration(twin, score, noise[:, :0], noise)
            compute.candidates_recorded = score.predicted
            return twin.state

        state = compute.graph.run(recorded, (*self._problem, noise, *search.state), fixed=micro_batch)
        if state is None:
            return False
        search.take_over(state)
        self._more += compute.candidates_recorded
        return True
