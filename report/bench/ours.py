"""Contender: arms of ours, plain or free, by the training steps of every run."""

from dataclasses import replace

import tensorflow as tf

from normlib.data import Dataset
from normlib.train import Trainer
from report.bench.contenders import ARMS
from report.bench.problem import SEED
from report.bench.protocol import Make, Problem, Train, serve, timed


def build(spec: dict, problem: Problem) -> Make:
    """Blocks are epochs over the problem's images: the trainer's own order is the problem's."""
    set_threads(spec["threads"])
    blocks = len(problem.order)
    images = Dataset(problem.images, problem.labels, problem.images[:0], problem.labels[:0])

    def make(norm: str) -> Train:
        trainer = Trainer(replace(ARMS[norm], **spec["options"], epochs=blocks), SEED, images)
        return timed(lambda block: trainer.train(block + 1)[0])

    return make


def set_threads(threads: int) -> None:
    """Use so many threads; 0 leaves it to TensorFlow: all cores."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


if __name__ == "__main__":
    serve(build)
