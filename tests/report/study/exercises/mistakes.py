"""Every known mistake as an edit of a right program, in NumPy and, translated, in TensorFlow.

They share no line with the references in `report/study/exercises`. Each step of a formula has a
line of its own, so that two edits can be made together.
"""

import math

import numpy as np
import tensorflow as tf

from report.study.exercises.catalogue import EXERCISES

NORM = """
def {name}(x, gamma, beta{argument}):
    axes = {axes}
    subtracted, squared, inner = axes, axes, axes
    n = math.prod(x.shape[a] for a in squared)
    mean = np.mean(x, axis=subtracted, keepdims=True)
    center = np.mean(x, axis=inner, keepdims=True)
    centred = x - mean
    differences = x - center
    squares = differences ** 2
    variance = np.sum(squares, axis=squared, keepdims=True) / n
    radicand = variance + {epsilon}
    deviation = radicand ** 0.5
    x_hat = centred / deviation
    factor = gamma
    term = beta
    return factor * x_hat + term
"""

SCRAMBLED = """
    def averages(a):
        rows = np.reshape(a, (a.shape[-1], -1))
        return np.reshape(np.mean(rows, axis=1, keepdims=True) + 0 * rows, a.shape)
"""


def norm_edits(axes, given="epsilon"):
    """Edits of NORM: (switch, value) to pairs of old and new text."""
    count = COUNT_N
    last = "x_hat = centred / deviation"
    edits = {
        ("spread", "square"): [("x - center", "x")],
        ("spread", "absolute"): [
            ("squares = differences ** 2", "squares = np.abs(differences)"),
            ("    radicand", "    variance = variance ** 2\n    radicand"),
        ],
        ("count", "n - 1"): [(count, count.replace("n\n", "(n - 1)\n"))],
        ("count", "1"): [(count, count.replace(" / n", ""))],
        ("count", "others"): [(count, count.replace("n\n", "(math.prod(x.shape) / n)\n"))],
        ("at", "outside"): [
            (f"variance + {given}", "variance"),
            ("    x_hat", f"    deviation = deviation + {given}\n    x_hat"),
        ],
        ("at", "twice"): [("    x_hat", f"    deviation = deviation + {given}\n    x_hat")],
        ("at", "none"): [(f"variance + {given}", "variance")],
        ("at", "after"): [
            (f"variance + {given}", "variance"),
            ("    factor", f"    x_hat = x_hat + {given}\n    factor"),
        ],
        ("at", "floor"): [(f"variance + {given}", f"np.maximum(variance, {given})")],
        ("power", "none"): [("radicand ** 0.5", "radicand")],
        ("power", "square"): [("radicand ** 0.5", "radicand ** 2")],
        ("power", "fourth root"): [("radicand ** 0.5", "radicand ** 0.25")],
        ("power", "multiplied"): [("radicand ** 0.5", "radicand ** -0.5")],
        ("centre", "none"): [("centred = x - mean", "centred = x")],
        ("centre", "minus"): [("centred = x - mean", "centred = mean - x")],
        ("centre", "precedence"): [(last, "x_hat = x - mean / deviation")],
    }
    edits |= SCALE_AND_SHIFT | {
        ("at", value): [(f"variance + {given}", f"variance + {value}")]
        for value in (1e-3, 1e-5, 1e-6, 1e-7, 1e-8)
    }
    edits |= {("axes", value): [(f"axes = {axes}", f"axes = {value}")] for value in OTHERS}
    return edits | {("axes", value): [("axes, axes, axes", str(value))] for value in APART}


SCALE_AND_SHIFT = {
    ("scale", "none"): [("factor = gamma", "factor = 1.0")],
    ("scale", "1 + gamma"): [("factor = gamma", "factor = 1 + gamma")],
    ("scale", "1 / gamma"): [("factor = gamma", "factor = 1 / gamma")],
    ("scale", "beta"): [("factor = gamma", "factor = beta")],
    ("shift", "none"): [("term = beta", "term = 0.0")],
    ("shift", "minus"): [("term = beta", "term = -beta")],
    ("shift", "inside"): [("term = beta", "term = factor * beta")],
    ("shift", "gamma"): [("term = beta", "term = gamma")],
}
APART = [
    axes
    for r, w in (((0,), (1,)), ((-1,), (-2,)), ((0, 1, 2), (0, 1, 2, 3)))
    for axes in ((w, r, r), (w, r, w), (r, w, w), (r, w, r))
]
OTHERS = (
    (0,), (1,), (-2,), (0, 1), (-2, -1), (1, 2), (1, 2, 3), (3,), (0, 1, 2, 3), (0, 2, 3), (0, 2),
)  # fmt: skip
COUNT_N = "keepdims=True) / n\n    radicand"
IMAGES = {
    ("axes", "scrambled"): [
        (
            "    n = math.prod(x.shape[a] for a in squared)",
            f"{SCRAMBLED}    n = math.prod(x.shape[:3])",
        ),
        ("np.mean(x, axis=subtracted, keepdims=True)", "averages(x)"),
        ("np.mean(x, axis=inner, keepdims=True)", "averages(x)"),
        ("np.sum(squares, axis=squared, keepdims=True)", "n * averages(squares)"),
    ],
    ("spread", "within"): [
        ("x - center", "x - np.mean(x, axis=0, keepdims=True)"),
    ],
    ("count", "N"): [(COUNT_N, COUNT_N.replace("/ n", "/ x.shape[0]"))],
}
STOPPED = {
    ("stopped", ("mean",)): [("    centred", "    mean = tf.stop_gradient(mean)\n    centred")],
    ("stopped", ("variance",)): [
        ("    radicand", "    variance = tf.stop_gradient(variance)\n    radicand")
    ],
    ("stopped", ("mean", "variance")): [
        ("    centred", "    mean = tf.stop_gradient(mean)\n    centred"),
        ("    radicand", "    variance = tf.stop_gradient(variance)\n    radicand"),
    ],
}

MOVING = """
def batch_norm_moving(x, gamma, beta, moving_mean, moving_variance, training, momentum, epsilon):
    old_mean, old_variance = moving_mean, moving_variance
    n = x.shape[0]
    mean = np.mean(x, axis=0)
    variance = np.sum((x - mean) ** 2, axis=0) / n
    new_mean, new_variance = mean, variance
    keep, take = momentum, 1 - momentum
    update = training
    if update:
        pass  # the next two lines may be gone
        moving_mean = keep * old_mean + take * new_mean
        moving_variance = keep * old_variance + take * new_variance
    used_mean, used_variance = (mean, variance) if training else (old_mean, old_variance)
    radicand = used_variance + epsilon
    deviation = radicand ** 0.5
    y = (x - used_mean) / deviation
    factor = gamma
    term = beta
    y = factor * y + term
    return y, moving_mean, moving_variance
"""
UPDATE_MEAN = "        moving_mean = keep * old_mean + take * new_mean\n"
UPDATE_VARIANCE = "        moving_variance = keep * old_variance + take * new_variance\n"
STORED = "new_mean, new_variance = mean, variance\n"
RADICAND = "    radicand = used_variance + epsilon\n"


def _stored(value):
    return [(STORED, f"new_mean, new_variance = mean, {value}\n")]


MOVING_EDITS = {
    ("mode", "inverted"): [("    old_mean,", "    training = not training\n    old_mean,")],
    ("trains_with", "moving"): [("= (mean, variance) if", "= (old_mean, old_variance) if")],
    ("trains_with", "updated"): [("= (mean, variance) if", "= (moving_mean, moving_variance) if")],
    ("infers_with", "batch"): [("else (old_mean, old_variance)", "else (mean, variance)")],
    ("infers_with", "batch variance"): [
        ("else (old_mean, old_variance)", "else (old_mean, variance)")
    ],
    ("infers_with", "updated"): [
        ("    if ", "    update = update or not training\n    if "),
        ("else (old_mean, old_variance)", "else (moving_mean, moving_variance)"),
    ],
    ("updates", "always"): [("update = training", "update = True")],
    ("updates", "never"): [("update = training", "update = False")],
    ("stored", "nothing"): [(UPDATE_VARIANCE, "")],
    ("averaged", "variance"): [(UPDATE_MEAN, "")],
    ("old", "new"): [
        ("keep, take = momentum, 1 - momentum", "keep, take = 1 - momentum, momentum")
    ],
    ("old", "0.9"): [("    keep,", "    momentum = 0.9\n    keep,")],
    ("old", "0.99"): [("    keep,", "    momentum = 0.99\n    keep,")],
    ("rule", "sum"): [("    if ", "    keep = 1.0\n    if ")],
    ("rule", "undamped"): [("    if ", "    take = 1.0\n    if ")],
    ("rule", "replaced"): [("    if ", "    keep, take = 0.0, 1.0\n    if ")],
    ("count", "n - 1"): [("axis=0) / n", "axis=0) / (n - 1)")],
    ("stored", "n - 1"): _stored("variance * n / (n - 1)"),
    ("stored", "deviation"): _stored("np.sqrt(variance)"),
    ("stored", "root with epsilon"): _stored("np.sqrt(variance + epsilon)"),
    ("stored", "with epsilon"): _stored("variance + epsilon"),
    ("stored", "inverse"): _stored("1 / np.sqrt(variance + epsilon)"),
    ("stored", "square"): _stored("np.mean(x ** 2, axis=0)"),
    ("order", "swapped"): [
        ("return y, moving_mean, moving_variance", "return y, moving_variance, moving_mean"),
    ],
    ("power", "none"): [("radicand ** 0.5", "radicand")],
    ("power", "none at inference"): [
        ("radicand ** 0.5", "radicand ** 0.5 if training else radicand")
    ],
    ("scaled", "in training"): [("* y + term", "* y + term if training else y")],
} | SCALE_AND_SHIFT
for mode, when in (("", "True"), (" in training", "training"), (" at inference", "not training")):
    without = (RADICAND, f"    radicand = used_variance + (0.0 if {when} else epsilon)\n")
    after = ("    y = (x", f"    deviation = deviation + (epsilon if {when} else 0.0)\n    y = (x")
    MOVING_EDITS["at", f"outside{mode}"] = [without, after]
    MOVING_EDITS["at", f"none{mode}"] = [without]

BACKWARD = """
def {name}(dy, x, gamma, epsilon):
    axes = {axes}
    n = math.prod(x.shape[a] for a in axes)
    mean = np.sum(x, axis=axes, keepdims=True) / n
    variance = np.sum((x - mean) ** 2, axis=axes, keepdims=True) / n
    inv_std = 1 / np.sqrt(variance + epsilon)
    x_hat = (x - mean) * inv_std
    outer = 1.0
    dx_hat = dy * gamma
    inner = dx_hat
    through_mean = np.sum(inner, axis=axes, keepdims=True) / n
    carried = x_hat
    through_variance = np.sum(inner * x_hat, axis=axes, keepdims=True) / n
    direct = dx_hat
    dx = outer * inv_std * (direct - through_mean - carried * through_variance)
    row = dy * x_hat
    dgamma = np.sum(row, axis=0)
    dbeta = np.sum(dy, axis=0)
    return dx, dgamma, dbeta
"""


def _mean(factor):
    return [("    carried", f"    through_mean = through_mean * {factor}\n    carried")]


def _variance(factor):
    return [("    direct =", f"    through_variance = through_variance * {factor}\n    direct =")]


def _whole(factor):
    return [("    row", f"    dx = dx * {factor}\n    row")]


def backward_edits(axes):
    """Edits of BACKWARD."""
    edits = {
        ("count", "n - 1"): [
            ("keepdims=True) / n\n    inv_std", "keepdims=True) / (n - 1)\n    inv_std")
        ],
        ("at", "none"): [("variance + epsilon", "variance")],
        ("at", "outside"): [("np.sqrt(variance + epsilon)", "(np.sqrt(variance) + epsilon)")],
        ("gamma_in", "nowhere"): [("dx_hat = dy * gamma", "dx_hat = dy")],
        ("gamma_in", "twice"): [("dx_hat = dy * gamma", "dx_hat = dy * gamma ** 2")],
        ("gamma_in", "outside"): [
            ("dx_hat = dy * gamma", "dx_hat = dy"),
            ("outer = 1.0", "outer = gamma"),
        ],
        ("gamma_in", "direct"): [("inner = dx_hat", "inner = dy")],
        ("through_mean", "none"): _mean(0.0),
        ("through_mean", "minus"): _mean(-1.0),
        ("through_mean", "sum"): _mean("n"),
        ("through_mean", "twice"): _mean(2.0),
        ("through_variance", "none"): _variance(0.0),
        ("through_variance", "minus"): _variance(-1.0),
        ("through_variance", "sum"): _variance("n"),
        ("through_variance", "half"): _variance(0.5),
        ("through_variance", "twice"): _variance(2.0),
        ("through_variance", "inv_std"): _variance("inv_std ** -2"),
        ("through_variance", "inv_std**2"): _variance("inv_std ** -1"),
        ("through_variance", "not centred"): [("carried = x_hat", "carried = x * inv_std")],
        ("through_variance", "thrice"): _variance(3.0),
        ("through_variance", "no x_hat"): [("carried = x_hat", "carried = 1.0")],
        ("divisor", "others"): _mean("n ** 2 / math.prod(x.shape)")
        + _variance("n ** 2 / math.prod(x.shape)"),
        ("direct", "no inv_std"): [("direct = dx_hat", "direct = dx_hat / inv_std")],
        ("direct", "none"): [("direct = dx_hat", "direct = 0.0 * dx_hat")],
        ("whole", "minus"): _whole("-1.0"),
        ("whole", "1 / n"): _whole("(1 / n)"),
        ("whole", "n"): _whole("n"),
        ("whole", "inv_std"): _whole("inv_std"),
        ("whole", "no inv_std"): _whole("inv_std ** -1"),
        ("dgamma", "centred"): [("row = dy * x_hat", "row = dy * (x - mean)")],
        ("dgamma", "x"): [("row = dy * x_hat", "row = dy * x")],
        ("dgamma", "gamma"): [("row = dy * x_hat", "row = dy * gamma * x_hat")],
        ("dgamma", "average"): [("np.sum(row, axis=0)", "np.mean(row, axis=0)")],
        ("dbeta", "average"): [("np.sum(dy, axis=0)", "np.mean(dy, axis=0)")],
        ("dbeta", "gamma"): [("np.sum(dy, axis=0)", "np.sum(dy * gamma, axis=0)")],
        ("order", "swapped"): [("return dx, dgamma, dbeta", "return dx, dbeta, dgamma")],
    }
    edits |= {("at", e): [("variance + epsilon", f"variance + {e}")] for e in (1e-5, 1e-8)}
    edits |= {("axes", value): [(f"axes = {axes}", f"axes = {value}")] for value in OTHERS}
    return edits | {
        ("averaged", value): [
            (
                f"np.sum({what}, axis=axes, keepdims=True) / n",
                f"np.mean({what}, axis={value}, keepdims=True)",
            )
            for what in ("inner", "inner * x_hat")
        ]
        for value in ((0,), (1,))
    }


WEIGHTS = """
def weight_norm(v, g):
    axes = (0,)
    length = np.sqrt(np.sum(v ** 2, axis=axes, keepdims=True))
    factor = g
    return factor * v / length
"""
WEIGHTS_BACKWARD = """
def weight_norm_backward(dw, v, g):
    axes = (0,)
    length = np.sqrt(np.sum(v ** 2, axis=axes, keepdims=True))
    unit = v / length
    along = np.sum(dw * unit, axis=0)
    part = along * unit
    factor = g
    dv = factor / length * (dw - part)
    dg = np.sum(dw * unit, axis=0)
    return dv, dg
"""
ROOT = "np.sqrt(np.sum(v ** 2, axis=axes, keepdims=True))"
LENGTH_EDITS = {
    ("axes", (1,)): [("axes = (0,)", "axes = (1,)")],
    ("axes", (0, 1)): [("axes = (0,)", "axes = (0, 1)")],
    ("length", "none"): [(ROOT, ROOT[8:-1])],
    ("length", "average"): [("np.sum(v ** 2", "np.mean(v ** 2")],
    ("length", "absolute"): [(ROOT, "np.sum(np.abs(v), axis=axes, keepdims=True)")],
    ("length", "largest"): [(ROOT, "np.max(np.abs(v), axis=axes, keepdims=True)")],
    ("length", 1e-3): [("keepdims=True))", "keepdims=True) + 1e-3)")],
    ("length", 1e-5): [("keepdims=True))", "keepdims=True) + 1e-5)")],
}
WEIGHT_EDITS = LENGTH_EDITS | {
    ("scale", "none"): [("factor = g", "factor = 1.0")],
    ("scale", "1 + g"): [("factor = g", "factor = 1 + g")],
    ("scale", "exp"): [("factor = g", "factor = np.exp(g)")],
    ("scale", "length"): [("factor = g", "factor = np.sqrt(np.sum(v ** 2, axis=0))")],
    ("length", "one"): [(ROOT, "1.0")],
    ("division", "multiplied"): [("v / length", "v * length")],
    ("centre", "mean"): [("    axes", "    v = v - np.mean(v, axis=0)\n    axes")],
}
WEIGHT_BACKWARD_EDITS = LENGTH_EDITS | {
    ("subtracted", "none"): [("dw - part", "dw")],
    ("subtracted", "plus"): [("dw - part", "dw + part")],
    ("subtracted", "half"): [("dw - part", "dw - part / 2")],
    ("subtracted", "v"): [("part = along * unit", "part = np.sum(dw * v, axis=0) * v")],
    ("subtracted", "once"): [("part = along * unit", "part = along * v")],
    ("subtracted", "cubed"): [("part = along * unit", "part = along * unit / length")],
    ("subtracted", "without g"): [("part = along * unit", "part = along * unit / g")],
    ("subtracted", "w"): [("part = along * unit", "part = g * along * unit")],
    ("subtracted", "average"): [("along = np.sum(dw * unit", "along = np.mean(dw * unit")],
    ("subtracted", "everywhere"): [
        ("along = np.sum(dw * unit, axis=0)", "along = np.sum(dw * unit)")
    ],
    ("scale", "none"): [("factor = g", "factor = 1.0")],
    ("division", "none"): [("factor / length", "factor")],
    ("division", "twice"): [("factor / length", "factor / length ** 2")],
    ("dg", "v"): [("dg = np.sum(dw * unit", "dg = np.sum(dw * v")],
    ("dg", "w"): [("dg = np.sum(dw * unit", "dg = np.sum(dw * g * unit")],
    ("dg", "average"): [("dg = np.sum(dw * unit", "dg = np.mean(dw * unit")],
    ("dg", "dw"): [("dg = np.sum(dw * unit", "dg = np.sum(dw")],
    ("order", "swapped"): [("return dv, dg", "return dg, dv")],
}


def _norm(name, axes, more=()):
    source = NORM.format(name=name, argument=", epsilon", axes=axes, epsilon="epsilon")
    return source, norm_edits(axes) | dict(more)


def _backward(name, axes):
    return BACKWARD.format(name=name, axes=axes), backward_edits(axes)


PROGRAMS = {
    "batch_norm": _norm("batch_norm", "(0,)"),
    "batch_norm_moving": (MOVING, MOVING_EDITS),
    "batch_norm_backward": _backward("batch_norm_backward", "(0,)"),
    "layer_norm": _norm("layer_norm", "(1,)"),
    "layer_norm_backward": _backward("layer_norm_backward", "(1,)"),
    "weight_norm": (WEIGHTS, WEIGHT_EDITS),
    "weight_norm_backward": (WEIGHTS_BACKWARD, WEIGHT_BACKWARD_EDITS),
    "batch_norm_images": _norm("batch_norm_images", "(0, 1, 2)", IMAGES),
    "network_norm": (
        NORM.format(name="network_norm", argument="", axes="(-1,)", epsilon="1e-5"),
        norm_edits("(-1,)", "1e-5") | STOPPED,
    ),
}

TENSORFLOW = {
    "np.sum": "tf.reduce_sum", "np.mean": "tf.reduce_mean", "np.max(": "tf.reduce_max(",
    "np.": "tf.",
}  # fmt: skip


def program(name, faults=(), library="numpy"):
    """The function with these mistakes, or None where the edits exclude each other."""
    source, edits = PROGRAMS[name]
    for order in (faults, faults[::-1]):
        text = _edited(source, [edit for f in order for edit in edits[f.switch, f.value]])
        if text:
            break
    else:
        return None
    for old, new in TENSORFLOW.items() if library == "tensorflow" else ():
        text = text.replace(old, new)
    namespace = {"math": math, "np": np, "tf": tf}
    exec(text, namespace)
    return namespace[name]


def _edited(source, edits):
    for old, new in edits:
        if source.count(old) != 1:
            return None
        source = source.replace(old, new)
    return source


def libraries(name):
    """Those in which the exercise can be solved."""
    return ("tensorflow",) if EXERCISES[name].of_the_tape else ("numpy", "tensorflow")
