"""Where people made these mistakes: public issues and forum threads, each with the one it shows.

The facts are cited, no sentence is copied. Some are questions of learners, some bugs of libraries
that were mended since, some two conventions that differ; all ask for the same answer.
"""

from typing import NamedTuple


class Case(NamedTuple):
    """An address, what was seen there, and the mistake by exercise, switch and setting."""

    address: str
    seen: str
    exercise: str
    switch: str
    value: object


GITHUB = "https://github.com/"
TORCH = "https://discuss.pytorch.org/t/"
CASES = tuple(
    Case(*case)
    for case in (
        # Which elements share a mean
        (GITHUB + "Kyubyong/transformer/issues/40",
         "asks for the batch's axes in a layer norm", "layer_norm", "axes", (-2,)),
        (TORCH + "why-nn-batchnorm2d-returns-different-values-comparing-with-the-one-calculated-"
         "by-math-equation-defined-in-paper/96889",
         "one mean for all channels of an image", "batch_norm_images", "axes", (0, 1, 2, 3)),
        ("https://intellipaat.com/community/3872/batch-normalization-in-convolutional-neural-"
         "network", "the mean over the batch alone", "batch_norm_images", "axes", (0,)),
        (GITHUB + "chainer/chainer/pull/8497",
         "the axes of channels-first images for channels-last ones", "batch_norm_images", "axes",
         (0, 2, 3)),
        # The variance
        (TORCH + "what-is-the-prefactor-of-nn-layernorm/34769",
         "a factor sqrt(4 / 3) with four features", "layer_norm", "count", "n - 1"),
        (GITHUB + "harvardnlp/annotated-transformer/pull/119",
         "torch's std divides by n - 1 in a layer norm", "layer_norm", "count", "n - 1"),
        (GITHUB + "uxlfoundation/oneDNN/issues/517",
         "expects n - 1 in batch norm's variance", "batch_norm", "count", "n - 1"),
        (GITHUB + "flagos-ai/FlagGems/issues/5392",
         "the count of other axes in layer norm's backward pass", "layer_norm", "count", "others"),
        # epsilon and the root
        (GITHUB + "hkproj/pytorch-transformer/pull/31",
         "epsilon added to the standard deviation", "layer_norm", "at", "outside"),
        (GITHUB + "codertimo/BERT-pytorch/issues/30",
         "the same, with n - 1", "layer_norm", "at", "outside"),
        (TORCH + "batchnorm1d-output-different-with-my-implementation/51877",
         "epsilon added after the division, with n - 1", "batch_norm", "at", "after"),
        (GITHUB + "VeriSilicon/TIM-VX/pull/589", "epsilon is always 0", "layer_norm", "at", "none"),
        (GITHUB + "keras-team/keras-hub/issues/642",
         "epsilon is 1e-5 whatever was asked", "layer_norm", "at", 1e-5),
        (GITHUB + "vacancy/Synchronized-BatchNorm-PyTorch/issues/43",
         "epsilon as a floor of the variance", "batch_norm", "at", "floor"),
        (GITHUB + "mbadry1/DeepLearning.ai-Summary/issues/183",
         "divides by the variance", "batch_norm", "power", "none"),
        (GITHUB + "tensorflow/tensorflow/issues/48039",
         "a documented formula without the root", "batch_norm", "power", "none"),
        (GITHUB + "jax-ml/jax/issues/442", "** 2 for the root", "batch_norm", "power", "square"),
        (GITHUB + "131250208/TPlinker-joint-extraction/issues/37",
         "** 2 for the root", "layer_norm", "power", "square"),
        (GITHUB + "hyunwoongko/transformer/issues/7",
         "proposes the root of the standard deviation", "layer_norm", "power", "fourth root"),
        (GITHUB + "rosinality/stylegan2-pytorch/issues/79",
         "asks whether to multiply by the deviation", "batch_norm", "power", "multiplied"),
        # Moving statistics
        (GITHUB + "cs231n/cs231n.github.io/issues/180",
         "weights the new value with momentum", "batch_norm_moving", "old", "new"),
        (GITHUB + "d2l-ai/d2l-en/pull/2213",
         "the two conventions of momentum", "batch_norm_moving", "old", "new"),
        (TORCH + "manual-vs-pytorch-calculation-for-batchnormalization-difference-why/114394",
         "the two conventions of momentum", "batch_norm_moving", "old", "new"),
        (GITHUB + "pytorch/pytorch/issues/7028",
         "the moving variance with n - 1", "batch_norm_moving", "stored", "n - 1"),
        (GITHUB + "FluxML/Flux.jl/issues/314",
         "a moving standard deviation", "batch_norm_moving", "stored", "deviation"),
        (GITHUB + "torch/nn/issues/567",
         "a moving average of 1 / deviation", "batch_norm_moving", "stored", "inverse"),
        (GITHUB + "keras-team/keras-contrib/pull/287",
         "epsilon inside the moving variance", "batch_norm_moving", "stored", "with epsilon"),
        (TORCH + "implementing-batchnorm-in-pytorch-problem-with-updating-self-running-mean-and-"
         "self-running-var/49314/11",
         "trains with the statistics just updated", "batch_norm_moving", "trains_with", "updated"),
        (GITHUB + "apache/systemds/pull/390",
         "trains with the moving statistics", "batch_norm_moving", "trains_with", "moving"),
        (GITHUB + "paiml/aprender/pull/2166",
         "the moving statistics stay 0 and 1", "batch_norm_moving", "updates", "never"),
        (GITHUB + "anitan0925/vaegan/issues/1",
         "the batch's statistics at inference", "batch_norm_moving", "infers_with", "batch"),
        (GITHUB + "duoan/TorchCode/issues/5",
         "a solution for training alone", "batch_norm_moving", "infers_with", "batch"),
        # Backward passes
        (GITHUB + "denizyuret/Knet.jl/issues/288",
         "gamma missing in dx", "batch_norm_backward", "gamma_in", "nowhere"),
        (GITHUB + "Oneflow-Inc/oneflow/pull/6149",
         "dgamma and dbeta swapped", "layer_norm_backward", "order", "swapped"),
        (GITHUB + "tenstorrent/tt-metal/issues/53204",
         "the mean of dx_hat subtracted twice", "layer_norm_backward", "through_mean", "twice"),
        # Weight norm
        (GITHUB + "pytorch/pytorch/issues/81195",
         "the norm over the other axis", "weight_norm", "axes", (1,)),
        (GITHUB + "japan-medical-ai/medical-ai-course-materials/pull/95",
         "the norm in place of g", "weight_norm", "scale", "length"),
    )
)  # fmt: skip
