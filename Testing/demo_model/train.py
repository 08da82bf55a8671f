"""Train the demo model on random phantoms.

    python Testing/demo_model/train.py --output /tmp/demo --minutes 60

The folder is written again every few minutes, so that an early stop leaves a usable model.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that the script runs from anywhere

from demo_model.evaluate import dice_per_structure, make_predictor
from demo_model.model_folder import (
    PATCH,
    build_network,
    intensity_properties,
    load_folder,
    make_dataset,
    make_plans,
    model_path,
    write_folder,
)
from demo_model.phantom_pool import random_patch, training_case

LOG = logging.getLogger("demo_model")
CLASSES = 105
VOXELS_PER_CLASS = 1500
BACKGROUND_VOXELS = 40_000
DEEP_WEIGHTS = (1.0, 0.5, 0.25)  # of the outputs at full, half and quarter resolution
CHECK_SEED = 900_000  # never drawn for training
EMA_DECAY = 0.995


def loss_of(
    features: torch.Tensor, truth: torch.Tensor, head: nn.Module, generator: torch.Generator, balance: float
) -> torch.Tensor:
    """Return cross-entropy plus soft Dice over sampled voxels.

    The head over 105 classes is the dearest layer, so it sees at most about `VOXELS_PER_CLASS` voxels of each class.
    `features` is (b, c, z, y, x) before the last 1 x 1 x 1 convolution `head`; `truth` is int64 (b, z, y, x).
    `balance` 0 leaves the cross-entropy to the sampled voxels (rare classes count as much as common ones), 1 undoes
    the sampling (each voxel of the patch counts the same). The Dice always undoes it.
    """
    flat = truth.reshape(-1)
    count = torch.bincount(flat, minlength=CLASSES).float()
    limit = torch.full((CLASSES,), float(VOXELS_PER_CLASS))
    limit[0] = BACKGROUND_VOXELS
    probability = (limit / count.clamp(min=1)).clamp(max=1.0)
    keep = torch.rand(flat.shape, generator=generator) < probability[flat]
    target = flat[keep]
    chosen = features.movedim(1, -1).reshape(-1, features.shape[1])[keep].float()
    log_p = nn.functional.log_softmax(nn.functional.linear(chosen, head.weight.flatten(1), head.bias), dim=1)
    scale = 1.0 / probability[target]
    weight = scale**balance
    picked = log_p.gather(1, target[:, None])[:, 0]
    cross_entropy = -(weight * picked).sum() / weight.sum()
    total = scale @ log_p.exp()
    hit = torch.zeros(CLASSES).index_add(0, target, picked.exp() * scale)
    dice = (2 * hit + 1) / (total + count + 1)
    present = count > 0
    present[0] = False
    if not present.any():  # a patch of air: the mean of nothing would be NaN, and one NaN spoils all weights
        return cross_entropy
    return cross_entropy + 1 - dice[present].mean()


class Trainer:
    """Holds the pool of phantoms, the network and its running average of weights."""

    def __init__(self, output: Path, pool_size: int, seed: int, start: Path | None, learning_rate: float) -> None:
        """Draw the pool and build the network; `start` is a model folder to go on from."""
        torch.manual_seed(seed)
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.folder = model_path(output)
        self.next_seed = 1000 * seed
        self.pool = [self._new_case(0.25) for _ in range(pool_size)]
        if start is None:
            values = np.concatenate([ct[labels > 0][::7] for ct, labels in self.pool])
            shape = tuple(int(v) for v in np.median([ct.shape for ct, _ in self.pool], axis=0))
            self.plans, self.dataset = make_plans(intensity_properties(values), shape), make_dataset(pool_size)
            self.network = build_network(self.plans, self.dataset)
        else:
            self.plans, self.dataset, self.network = load_folder(model_path(start))
        self.intensities = self.plans["foreground_intensity_properties_per_channel"]["0"]
        self.network.train()
        self.heads = self.network.decoder.seg_layers  # coarsest first
        self.parameters = list(self.network.parameters())
        self._detach_heads()
        self.average = [p.detach().clone() for p in self.parameters]
        self.learning_rate = learning_rate
        self.optimizer = torch.optim.AdamW(self.parameters, lr=learning_rate, weight_decay=1e-3, betas=(0.9, 0.98))
        self.class_weights = np.full(CLASSES, 1 / 104)
        self.class_weights[0] = 0
        self.check = training_case(CHECK_SEED, scanned_share=1.0)

    def _new_case(self, scanned_share: float) -> tuple[np.ndarray, np.ndarray]:
        self.next_seed += 1
        return training_case(self.next_seed, scanned_share)

    def _detach_heads(self) -> None:
        """Let the network return the features before each head: the loss applies the heads, to chosen voxels only."""
        self.network.decoder.seg_layers = nn.ModuleList(nn.Identity() for _ in self.heads)
        self.network.decoder.deep_supervision = True

    def step(self, number: int, progress: float) -> float:
        """Take one step; `progress` 0..1 sets the learning rate. Returns the loss."""
        rate = self.learning_rate * min(1.0, (number + 1) / 60) * (0.02 + 0.98 * (1 - progress) ** 0.9)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if number % 20 == 19:  # fresh bodies all the time: the pool is never learnt by heart
            self.pool[int(self.rng.integers(len(self.pool)))] = self._new_case(0.1)
        ct, labels = self.pool[int(self.rng.integers(len(self.pool)))]
        # low patches are cheap steps to begin with; the full height is learnt last, as prediction uses it
        height = int(self.rng.choice((32, 48, 64), p=(0.6, 0.2, 0.2) if progress < 0.55 else (0.1, 0.2, 0.7)))
        patch = (height, *PATCH[1:])
        image, truth = random_patch(self.rng, ct, labels, self.intensities, self.class_weights, patch)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = self.network(torch.from_numpy(image)[None, None])
        target, balance = torch.from_numpy(truth)[None], 0.4 + 0.6 * progress
        loss = torch.zeros(())
        for level, share in enumerate(DEEP_WEIGHTS):
            step = 2**level
            coarse = target[:, ::step, ::step, ::step]
            loss = loss + share * loss_of(outputs[level], coarse, self.heads[-1 - level], self.generator, balance)
        loss = loss / sum(DEEP_WEIGHTS)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimizer.step()
        decay = min(EMA_DECAY, (number + 1) / (number + 20))
        with torch.no_grad():
            for mean, p in zip(self.average, self.parameters, strict=True):
                mean.lerp_(p, 1 - decay)
        return float(loss.detach())

    def save(self, step: int) -> None:
        """Write the folder with the averaged weights."""
        current = [p.detach().clone() for p in self.parameters]
        with torch.no_grad():
            for p, mean in zip(self.parameters, self.average, strict=True):
                p.copy_(mean)
            self.network.decoder.seg_layers = self.heads
            write_folder(self.folder, self.plans, self.dataset, self.network.state_dict(), step)
            self._detach_heads()
            for p, value in zip(self.parameters, current, strict=True):
                p.copy_(value)

    def measure(self) -> dict[str, float]:
        """Return the Dice of each structure on a phantom that is not in the pool; aims sampling at the low ones."""
        predictor, _ = make_predictor(self.folder)
        i = self.intensities
        ct, labels = self.check
        image = (np.clip(ct, i["percentile_00_5"], i["percentile_99_5"]) - i["mean"]) / i["std"]
        with torch.inference_mode():
            logits = predictor.predict_sliding_window_return_logits(torch.from_numpy(image[None]).float())
        dice = dice_per_structure(logits.argmax(0).numpy().astype(np.uint8), labels)
        self.class_weights[1:] = [1.05 - dice.get(name, 1.0) for name in list(self.dataset["labels"])[1:]]
        self.class_weights /= self.class_weights.sum()
        return dice


def main() -> None:
    """Train until the minutes are over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder to write Dataset900_... into")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--pool", type=int, default=32, help="phantoms kept in memory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, default=None, help="a folder that holds Dataset900_... to go on from")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    started = time.monotonic()
    trainer = Trainer(arguments.output, arguments.pool, arguments.seed, arguments.start, arguments.learning_rate)
    LOG.info("pool of %d phantoms after %.0f s", arguments.pool, time.monotonic() - started)
    losses: list[float] = []
    number, saved, spent = 0, time.monotonic(), 0.0
    while (spent := (time.monotonic() - started) / 60) < arguments.minutes:
        losses.append(trainer.step(number, spent / arguments.minutes))
        number += 1
        if number % 50 == 0:
            LOG.info("step %d  %.1f min  loss %.4f", number, spent, np.mean(losses[-50:]))
        if time.monotonic() - saved > 420:
            _save_and_report(trainer, number)
            saved = time.monotonic()
    _save_and_report(trainer, number)
    LOG.info("done: %d steps in %.1f min", number, (time.monotonic() - started) / 60)


def _save_and_report(trainer: Trainer, number: int) -> None:
    trainer.save(number)
    dice = trainer.measure()
    lowest = sorted(dice.items(), key=lambda item: item[1])[:12]
    LOG.info("step %d  mean Dice %.4f  lowest %s", number, np.mean(list(dice.values())), lowest)


if __name__ == "__main__":
    main()
