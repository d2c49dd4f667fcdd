"""Planning by the cross-entropy method in latent space (upstream ``notebooks/utils/mpc_utils.py``, ``cem``).

With the default settings this is the published method. The options of :class:`CEMConfig` exchange parts of it (where
samples come from, how the distribution follows from their energies) and are chosen when the planner is built.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from vjepa_mpc.planning.actions import ACTION_DIM, SEARCH_DIM, ActionSpace
from vjepa_mpc.planning.compute.budget import Budget, Clock, Deadline, Pace, Unlimited
from vjepa_mpc.planning.compute.evaluation import Evaluator, Objective, choose_micro_batch, l1_energy
from vjepa_mpc.planning.compute.graphs import Capture, GraphedIteration, Tensors, capture_cuda_graph
from vjepa_mpc.planning.compute.ranks import Ranks, Request, ShardedEvaluator
from vjepa_mpc.planning.config import GRIPPER, CEMConfig, checked_pins
from vjepa_mpc.planning.samplers.samplers import make_sampler
from vjepa_mpc.planning.search import Search
from vjepa_mpc.planning.updates.updates import Distribution, Update, select_elites
from vjepa_mpc.worldmodel.interface import Rollout, WorldModel, check_world_model

logger = logging.getLogger(__name__)

_WANTED_ITERATIONS = 4  # before a deadline

AnyEvaluator = Evaluator | ShardedEvaluator
StoppedBy = Literal["iterations", "converged", "deadline"]


@dataclass(frozen=True, kw_only=True)
class PlanResult:
    """What a planner found.

    Attributes:
        actions: [H, 7] float32 on the CPU; the first one is to be executed.
        energies: lowest energy among the candidates of each iteration; empty when there was time for none, in which
            case the actions are the warm start (or, without one, no motion).
        elite_std: [H, 4] spread of the last elites in x, y, z (metres) and gripper.
        elites: [K, H, 7] the best candidates of the last iteration, lowest energy first.
        stopped_by: what ended the search: all ``iterations`` done, elites ``converged``, or the ``deadline``.
        candidate_steps: predictions made: candidates times horizon.
        timings: seconds by stage; ``total`` covers the whole call.
    """

    actions: Tensor
    energies: tuple[float, ...]
    elite_std: Tensor
    elites: Tensor
    stopped_by: StoppedBy
    candidate_steps: int
    timings: dict[str, float]


class _Problem(NamedTuple):
    """What is planned from and to, on the world model's device; see :meth:`CEMPlanner.plan`."""

    context: Tensor
    pose: Tensor
    goal: Tensor
    past_actions: Tensor


class CEMPlanner:
    """Samples action sequences, predicts where they lead, and refits the sampling distribution to the best.

    Args:
        world_model: predicts latents; see :class:`~vjepa_mpc.worldmodel.WorldModel`.
        config: how many, how far, how often, and in which way.
        generator: source of the samples, on the world model's device; seeded with 0 when not given.
        objective: energy [S] of predicted latents [S, N, D] given the goal [N, D]; lower is better.
        pace: measured times that a deadline is kept by; give it on to the next planner when settings change.
        clock: seconds, monotonic.
        ranks: processes that share the candidates; rank 0 plans, the others run
            :func:`~vjepa_mpc.planning.compute.follow.follow`.
        capture: records iterations for ``cuda_graphs``; as CUDA graphs on a GPU when not given.
    """

    def __init__(
        self,
        world_model: WorldModel,
        config: CEMConfig,
        generator: torch.Generator | None = None,
        objective: Objective = l1_energy,
        *,
        pace: Pace | None = None,
        clock: Clock = time.perf_counter,
        ranks: Ranks | None = None,
        capture: Capture | None = None,
    ) -> None:
        check_world_model(world_model)
        self.config = config
        self.objective = objective
        self.pace = pace or Pace()
        self._world_model = world_model
        self._device = world_model.device
        self._clock = clock
        self._ranks = ranks
        if ranks is not None and ranks.leads and ranks.count > config.samples:
            logger.warning("%d ranks for samples=%d: some are not needed", ranks.count, config.samples)
        self._generator = generator or torch.Generator(device=self._device).manual_seed(0)
        self._space = ActionSpace(config, self._device)
        self._draw = make_sampler(config, self._generator)
        self._update = Update(config, self._space)
        self._kept = round(config.keep_elites * config.topk)
        # Candidates at once, by observed frames. Chosen once: what is free changes with what PyTorch keeps for later,
        # and other batches would have to be compiled and recorded anew. Halved for good when memory runs out.
        self._micro_batches: dict[int, int] = {}
        self._graph = self._make_graph(capture)
        self._reserve = 1 if config.execute == "best" else 0  # candidates to predict after the search

    @torch.no_grad()
    def plan(
        self,
        context: Tensor,
        pose: Tensor,
        goal: Tensor,
        noise: Tensor | None = None,
        past_actions: Tensor | None = None,
        *,
        previous: PlanResult | None = None,
        proposals: Tensor | None = None,
        pins: Mapping[int, float] | None = None,
    ) -> PlanResult:
        """Find actions that lead from the context to the goal.

        Args:
            context: [N, D] latent of the newest frame, or [T, N, D] of the last T frames.
            pose: [7] measured pose at that frame, or [T, 7].
            goal: [N, D] latent of the goal image.
            noise: [iterations, H, S, 4] standard normal numbers to use instead of drawing them.
            past_actions: [T - 1, 7] actions between the frames of a longer context.
            previous: the plan whose first action was executed last; a warm start begins there.
            proposals: [P, H, 7] action sequences from elsewhere that compete in the first iteration, clipped to the
                planner's bounds. Rotations are not planned and must be zero.
            pins: coordinates that have a given value in this plan, beside those of ``config.axis``.

        Raises:
            ValueError: the goal, the noise, the proposals or the pins are not what is expected.
            RankLostError: a process that shares the candidates is gone.
        """
        started = self._clock()
        self._check(goal, noise, proposals)
        pins = checked_pins(pins or {})
        self._announce(context, pose, goal, noise, past_actions, previous, proposals, pins)
        self._space.pin(pins)
        search = Search(self._first_distribution(previous), self.config.topk, self._kept)
        extra = self._extra_candidates(previous, proposals)
        budget = self._budget(started)
        problem = self._problem(context, pose, goal, past_actions)
        evaluate = self._evaluator(problem, budget)
        most = self._most_samples(budget, evaluate.micro_batch)
        stopped_by: StoppedBy = "iterations"
        for iteration in range(self.config.cem_steps):
            drawn = self._noise(iteration, noise)[:, :most]
            replayed = iteration > 0 and self._replay(problem, search, evaluate, drawn)
            if not replayed and not self._iterate(search, evaluate, extra, drawn):
                stopped_by = "deadline"
                break
            self._log(search)
            if self._converged(search):
                stopped_by = "converged"
                break
            extra = extra[:, :0]
        chosen = self._choose(search, evaluate)
        self._micro_batches[_frames(pose)] = evaluate.micro_batch
        result = self._result(chosen, search, stopped_by, evaluate, started)
        budget.finish()
        return result

    def energy(self, latent: Tensor, goal: Tensor) -> float:
        """Energy of one latent [N, D] given the goal [N, D]."""
        return float(self.objective(latent[None], goal))

    def _announce(
        self,
        context: Tensor,
        pose: Tensor,
        goal: Tensor,
        noise: Tensor | None,
        past_actions: Tensor | None,
        previous: PlanResult | None,
        proposals: Tensor | None,
        pins: Mapping[int, float],
    ) -> None:
        """Have the other ranks, if there are any, make the same call."""
        if self._ranks is None or not self._ranks.leads:
            return
        tensors = {"context": context, "pose": pose, "goal": goal, "noise": noise, "past_actions": past_actions}
        inputs: dict[str, Any] = {name: value if value is None else value.cpu() for name, value in tensors.items()}
        inputs |= {"previous": previous, "proposals": None if proposals is None else proposals.cpu(), "pins": pins}
        self._ranks.announce(Request(self.config, self._generator.get_state(), self.objective, inputs))

    def _make_graph(self, capture: Capture | None) -> GraphedIteration | None:
        """None where iterations are not recorded: their shapes must be the same, and no clock or rank be asked."""
        config = self.config
        if not config.cuda_graphs:
            return None
        if capture is None and self._device.type == "cuda":
            capture = partial(capture_cuda_graph, device=self._device)
        obstacles = {
            f"device={self._device}": capture is None,
            f"deadline={config.deadline}": config.deadline is not None,
            f"sample_decay={config.sample_decay}": config.sample_decay > 1.0,
            "several ranks": self._ranks is not None,
        }
        found = [obstacle for obstacle, present in obstacles.items() if present]
        if capture is None or found:
            logger.warning("cuda_graphs has no effect with %s: planning goes on without", " and ".join(found))
            return None
        return GraphedIteration(capture)

    def _problem(self, context: Tensor, pose: Tensor, goal: Tensor, past_actions: Tensor | None) -> _Problem:
        past = pose.new_empty(0, ACTION_DIM) if past_actions is None else past_actions
        return _Problem(*(value.to(self._device) for value in (context, pose, goal, past)))

    def _iterate(self, search: Search, evaluate: AnyEvaluator, extra: Tensor, drawn: Tensor) -> bool:
        """One iteration; False when there was not the time to predict all candidates."""
        candidates = self._candidates(search.distribution, extra, drawn)
        energies = evaluate(self._space.to_actions(candidates), self._reserve)
        if len(energies) >= self.config.topk:
            search.advance(candidates[:, : len(energies)], energies, self._update)
        return len(energies) == candidates.shape[1]

    def _replay(self, problem: _Problem, search: Search, evaluate: AnyEvaluator, drawn: Tensor) -> bool:
        """One iteration as a replay of a CUDA graph; False where there is none, and nothing has happened."""
        if self._graph is None:
            return False
        candidates = drawn.shape[1] + int(self.config.mean_candidate)
        micro_batch = min(candidates, evaluate.micro_batch)

        def iterate(
            context: Tensor, pose: Tensor, goal: Tensor, past: Tensor, noise: Tensor, *state: Tensor
        ) -> Tensors:
            recorded = Search(Distribution(*state[:2]), self.config.topk, self._kept)
            recorded.take_over(state)
            start = self._starter(_Problem(context, pose, goal, past))
            own = Evaluator(start, goal, self.objective, micro_batch, Unlimited(), recover=False)
            self._iterate(recorded, own, noise[:, :0], noise)
            return recorded.state

        state = self._graph.run(iterate, (*problem, drawn, *search.state), fixed=micro_batch)
        if state is None:
            return False
        search.take_over(state)
        evaluate.predicted += candidates
        return True

    def _first_distribution(self, previous: PlanResult | None) -> Distribution:
        if previous is None or not self.config.warm_start:
            return Distribution(self._space.first_mean(), self._space.first_std)
        mean = self._space.from_actions(_one_step_on(previous.actions[None]))
        return Distribution(self._space.admit(mean)[:, 0], self.config.warm_start_std * self._space.first_std)

    def _extra_candidates(self, previous: PlanResult | None, proposals: Tensor | None) -> Tensor:
        """What competes in the first iteration beside the samples, [H, P, 4]."""
        extra = [] if proposals is None else [proposals.float()]
        if previous is not None and self.config.warm_start and self._kept:
            extra.append(_one_step_on(previous.elites[: self._kept]))
        if not extra:
            return self._space.first_mean()[:, None][:, :0]
        return self._space.admit(torch.cat([self._space.from_actions(actions) for actions in extra], dim=1))

    def _noise(self, iteration: int, given: Tensor | None) -> Tensor:
        """Standard normal numbers [H, S, 4] of an iteration."""
        return self._draw(self.config.samples_of(iteration)) if given is None else given[iteration].to(self._device)

    def _candidates(self, distribution: Distribution, extra: Tensor, noise: Tensor) -> Tensor:
        """Candidates [H, S, 4]: those from elsewhere and those from the distribution."""
        mean, std = distribution.mean[:, None], distribution.std[:, None]
        own = [self._space.admit(mean)] if self.config.mean_candidate else []
        return torch.cat([extra, *own, self._space.admit(mean + std * noise)], dim=1)

    def _most_samples(self, budget: Budget, micro_batch: int) -> int:
        """Samples an iteration: when time is short, some iterations with fewer find more than one with many."""
        affordable = budget.candidates_left(micro_batch) / min(self.config.cem_steps, _WANTED_ITERATIONS)
        most = int(min(self.config.samples, max(affordable, 2 * self.config.topk)))
        return most if self._ranks is None else self._ranks.agree(most)

    def _starter(self, problem: _Problem) -> Callable[[int], Rollout]:
        """Starts a rollout of so many candidates."""
        context, pose, _, past_actions = problem
        horizon = self.config.rollout
        return lambda samples: self._world_model.start_rollout(context, pose, samples, horizon, past_actions)

    def _evaluator(self, problem: _Problem, budget: Budget) -> AnyEvaluator:
        micro_batch = self._micro_batches.get(_frames(problem.pose)) or self._choose_micro_batch(problem)
        start, goal = self._starter(problem), problem.goal
        if self._ranks is None:
            return Evaluator(start, goal, self.objective, micro_batch, budget)
        share = Evaluator(start, goal, self.objective, micro_batch, Unlimited())
        return ShardedEvaluator(share, budget, self._ranks)

    def _choose_micro_batch(self, problem: _Problem) -> int:
        """As many as memory admits of a usual iteration's candidates, or of this rank's share of them."""
        shares = 1 if self._ranks is None else self._ranks.count
        kept = self._kept if self.config.warm_start else 0  # join a warm start's first iteration
        candidates = -(-(self.config.samples + int(self.config.mean_candidate) + kept) // shares)
        return choose_micro_batch(self.config, self._world_model, candidates, _frames(problem.pose))

    def _budget(self, started: float) -> Budget:
        if self.config.deadline is None:
            return Unlimited()
        return Deadline(started, self.config.deadline, self.pace, self._device, self._clock)

    def _converged(self, search: Search) -> bool:
        if not self.config.stop_spread:  # asking would wait for the device
            return False
        spread = search.spread / self._space.first_std
        converged = float(spread[:, :GRIPPER].max()) < self.config.stop_spread
        # Unlike devices may differ in the last bit, and a rank that stops alone would keep the others waiting.
        return converged if self._ranks is None else bool(self._ranks.agree(converged))

    def _choose(self, search: Search, evaluate: AnyEvaluator) -> Tensor:
        """The sequence [H, 4] to execute."""
        mean = search.distribution.mean
        if not search.energies:  # nothing was learnt: the start, with what is given
            return self._space.admit(mean[:, None])[:, 0]
        if self.config.execute == "mean":
            return mean
        energy = evaluate(self._space.to_actions(mean[:, None]))
        candidates = torch.cat([search.best.candidates, mean[:, None]], dim=1)[:, : 1 + len(energy)]
        return select_elites(candidates, torch.cat([search.best.energies, energy]), 1).candidates[:, 0]

    def _result(
        self,
        chosen: Tensor,
        search: Search,
        stopped_by: StoppedBy,
        evaluate: AnyEvaluator,
        started: float,
    ) -> PlanResult:
        actions = self._space.to_actions(self._space.without_small_gripper_moves(chosen)).cpu()
        energies = tuple(torch.stack(search.energies).tolist()) if search.energies else ()
        elites = self._space.to_actions(search.elites.candidates).transpose(0, 1).cpu()
        if not energies:
            self._report_no_time(warm=bool(actions.any()))
        return PlanResult(
            actions=actions,
            energies=energies,
            elite_std=search.spread.cpu(),
            elites=elites,
            stopped_by=stopped_by,
            candidate_steps=evaluate.predicted * self.config.rollout,
            timings={"total": self._clock() - started},
        )

    def _report_no_time(self, warm: bool) -> None:
        logger.warning(
            "deadline=%s s is too short for an iteration (%d candidates take %.3f s): %s; allow more time",
            self.config.deadline,
            self.config.topk,
            self.pace.predict(self.config.topk),
            "the previous plan, moved on by a step, is returned" if warm else "the plan is not to move",
        )
        self.pace.fade()

    def _log(self, search: Search) -> None:
        if not self.config.verbose:
            return
        mean, std = search.distribution
        found = f"energy {float(search.energies[-1]):.4f}, mean {mean[0].tolist()}, std {std[0].tolist()}"
        logger.info("iteration %d/%d: %s", len(search.energies), self.config.cem_steps, found)

    def _check(self, goal: Tensor, noise: Tensor | None, proposals: Tensor | None) -> None:
        config, model = self.config, self._world_model
        expected = (model.tokens_per_frame, model.embed_dim)
        if tuple(goal.shape) != expected:
            raise ValueError(f"goal latent is {list(goal.shape)}: expected {list(expected)} (encode one goal image)")
        noise_shape = (config.cem_steps, config.rollout, config.samples, SEARCH_DIM)
        if noise is not None and tuple(noise.shape) != noise_shape:
            raise ValueError(f"noise is {list(noise.shape)}: expected [iterations, H, S, 4] = {list(noise_shape)}")
        if proposals is None:
            return
        if proposals.ndim != 3 or proposals.shape[1] < 1 or proposals.shape[2] != ACTION_DIM:
            raise ValueError(f"proposals are {list(proposals.shape)}: expected [P, H, {ACTION_DIM}]")
        if not torch.isfinite(proposals).all() or proposals[..., 3:6].any():
            raise ValueError("proposals must be finite and their rotations (entries 3 to 5) zero: none are planned")


def _frames(pose: Tensor) -> int:
    """Observed frames that poses [7] or [T, 7] belong to."""
    return 1 if pose.ndim == 1 else len(pose)


def _one_step_on(actions: Tensor) -> Tensor:
    """[P, H, 7] without the step that was executed; the last one is repeated, so that a single step is kept."""
    return torch.cat([actions[:, 1:], actions[:, -1:]], dim=1)
