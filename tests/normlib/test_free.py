"""Free norms compute what the plain layers compute: forward, backward, and step after step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from normlib import data, free, gradients, layers, model, train
from normlib.arm import Arm

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
SHAPES = [(28, 28), (9, 7)]
KINDS = ["none", "BN", "LN", "LN per channel", "WN"]


def images(height, width, dtype="float32"):
    """Corners of real images, whose flat background ties in most windows."""
    left = (28 - width) // 2
    some = data.load("quick").test_images[:17, :height, left : left + width]
    return (np.round(255 * some.astype(float)) / 255).astype(dtype)


def made_block(kind, x, seed=3):
    """A block of six channels with random weights, built for x."""
    options = {"epsilon": 1e-5, "dtype": x.dtype.name}
    convolution = keras.layers.Conv2D(6, 5, padding="same", dtype=x.dtype.name)
    norm = {
        "BN": lambda: layers.BatchNormalization(momentum=0.9, **options),
        "LN": lambda: layers.LayerNormalization(axis=[1, 2, 3], **options),
        "LN per channel": lambda: layers.GroupNormalization(groups=1, **options),
    }.get(kind, lambda: None)()
    if kind == "WN":
        convolution = layers.WeightNormalization(convolution, dtype=x.dtype.name)
    block, rng = free.Block(convolution, norm), np.random.default_rng(seed)
    block.build(x.shape)
    for variable in block.trainable_variables:
        variable.assign(np.float32(rng.normal(0.2, 0.4, variable.shape)))
    return block


def plain(block, x):
    """What a block is, written out."""
    y = block.convolution(x)
    y = block.norm(y, training=True) if block.norm else y
    return keras.layers.ReLU(dtype=x.dtype)(keras.layers.MaxPooling2D(dtype=x.dtype)(y))


def outcome(block, function, x, dy):
    """Output, gradients and moving statistics by name, after which these are as before."""
    moving = [v.numpy() for v in block.non_trainable_variables]
    with tf.GradientTape() as tape:
        y = function(x)
    slopes = tape.gradient(y, [v.value for v in block.trainable_variables], tf.cast(dy, y.dtype))
    names = [v.path.split("/")[-1] for v in block.trainable_variables]
    found = {"y": y} | dict(zip(names, slopes, strict=True))
    found |= {v.name: v.numpy() for v in block.non_trainable_variables}
    for variable, value in zip(block.non_trainable_variables, moving, strict=True):
        variable.assign(value)
    return {name: np.asarray(value, float) for name, value in found.items()}


def by_norm(found, expected):
    """How far the arrays are apart, relative to what is expected."""
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_block_is_its_layers_forward_and_backward(kind, shape, dtype):
    """Which compute in float64: in float32 their errors are the larger ones, 2e-5 of LN's bias."""
    x, exact = images(*shape, dtype), images(*shape, "float64")
    block, reference = made_block(kind, x), made_block(kind, exact)
    dy = np.random.default_rng(4).normal(size=(len(x), shape[0] // 2, shape[1] // 2, 6))
    dy = dy.astype("float32")
    with free.known(block.patch_sums(x), tf.range(len(x))):
        found = outcome(block, lambda x: block(x, training=True), tf.constant(x), dy)
    expected = outcome(reference, lambda x: plain(reference, x), tf.constant(exact), dy)
    assert found.keys() == expected.keys()
    if kind == "BN":  # which cancels the bias, whose gradient is what rounding leaves
        rest = [np.linalg.norm(values.pop("bias")) for values in (found, expected)]
        assert max(rest) <= TOLERANCE[dtype] * np.linalg.norm(expected["beta"])
    off = {name: by_norm(found[name], expected[name]) for name in expected}
    assert max(off.values()) <= TOLERANCE[dtype], off


@pytest.mark.parametrize("kind", ["BN", "LN"])
def test_without_known_sums_and_at_inference_the_layers_compute(kind):
    x = images(9, 7)
    block = made_block(kind, x)
    np.testing.assert_array_equal(block(x, training=True), plain(block, tf.constant(x)))
    expected = block(x, training=False)
    with free.known(block.patch_sums(x), tf.range(len(x))):
        np.testing.assert_array_equal(block(x, training=False), expected)
    assert by_norm(block(x, training=True).numpy(), expected.numpy()) > 1e-3 or kind == "LN"


def test_most_windows_of_these_images_tie():
    """Else the tests would not see which of equal pixels is paid."""
    activations = tf.nn.conv2d(images(28, 28), tf.random.stateless_normal((5, 5, 1, 6), (0, 0)), 1,
                               "SAME")  # fmt: skip
    corners = tf.stack([activations[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])
    tied = tf.reduce_sum(tf.cast(corners == tf.reduce_max(corners, 0), tf.int32), 0) > 1
    assert np.mean(tied) > 0.2


def test_the_first_of_equal_pixels_is_paid():
    def paid(values):
        a = tf.constant(np.reshape(values, (1, 2, 2, 1)), "float64")
        zero, one = tf.zeros([1, 1, 1, 1], "float64"), tf.ones([1, 1, 1, 1], "float64")
        with tf.GradientTape() as tape:
            tape.watch(a)
            parameters = tf.zeros([1], "float64"), zero, one, tf.ones([1], "float64")
            y = free.normalize_pool_and_relu(a, *parameters, tf.zeros([1], "float64"))
        return tape.gradient(y, a).numpy().ravel().tolist()

    assert paid([1, 1, 1, 1]) == [1, 0, 0, 0] and paid([0, 1, 1, 1]) == [0, 1, 0, 0]
    assert paid([0, 1, 2, 2]) == [0, 0, 1, 0] and paid([0, 1, 2, 3]) == [0, 0, 0, 1]
    assert paid([1, 0, 1, 0]) == [1, 0, 0, 0] and paid([0, 0, 0, 0]) == [0, 0, 0, 0]


# Sums over patches -------------------------------------------------------------------------------


def cut_out(pixels, size):
    """The sums of products of all patches, each with a 1 at its end, cut out one by one."""
    around = ((size - 1) // 2, size // 2)
    padded = np.pad(pixels.astype(int), ((0, 0), around, around))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))
    q = np.pad(patches.reshape(len(pixels), -1, size**2), ((0, 0),) * 2 + ((0, 1),))
    q[..., -1] = 1
    return np.einsum("npi,npj->nij", q, q)[:, *np.triu_indices(size**2 + 1)]


@pytest.mark.parametrize("size", [1, 3, 4, 5])
@pytest.mark.parametrize("shape", [(28, 28), (9, 7), (33, 40)], ids=str)
def test_patch_sums_are_exact(size, shape):
    pixels = np.random.default_rng(6).integers(0, 256, (4, *shape))
    pixels[0], pixels[1] = 255, 0  # the largest sums there are, and the smallest
    images = np.float32(pixels[..., None]) / 255
    np.testing.assert_array_equal(free.patch_sums(images, size), cut_out(pixels, size))


@pytest.mark.parametrize("pixel", [0.5, 1.01, -0.004, np.nan])
def test_pixels_that_are_no_bytes_are_an_error(pixel):
    """Their sums would be those of other images."""
    x = images(9, 7)
    x[3, 4, 5] = pixel
    with pytest.raises(ValueError, match="images of bytes over 255"):
        free.patch_sums(x, 5)


def test_moments_are_those_of_the_convolution():
    """Of a high-pass filter, too, whose variance is a small difference of large covariances."""
    x = images(9, 7, "float64")
    rng = np.random.default_rng(7)
    kernel, bias = rng.normal(size=(5, 5, 1, 6)), rng.normal(size=6)
    kernel[..., 0] = 0
    kernel[2, 1:4, 0, 0] = [-1, 2, -1]
    a = tf.nn.conv2d(x, kernel, 1, "SAME").numpy() + bias
    of_minibatch = free.channel_moments(free.table(x, 5), tf.constant(kernel), tf.constant(bias))
    of_images = free.image_moments(free.table(x, 5), tf.constant(kernel), tf.constant(bias))
    for (mean, variance), axes in ((of_minibatch, (0, 1, 2)), (of_images, (1, 2, 3))):
        np.testing.assert_allclose(mean, a.mean(axes), rtol=1e-10)
        np.testing.assert_allclose(variance, a.var(axes), rtol=1e-10)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of the cache, which is for three images already."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(free, "MANY", 3)
    return tmp_path / "keras" / "datasets"


def test_sums_of_many_images_are_computed_once(cache, monkeypatch):
    x = images(9, 7)
    first = free.table(x, 5)
    (file,) = cache.iterdir()
    sound = free.patch_sums
    monkeypatch.setattr(free, "patch_sums", lambda *_: 1 / 0)
    np.testing.assert_array_equal(free.table(x, 5), first)
    np.testing.assert_array_equal(first, sound(x, 5))
    for other in ((x[::-1], 5), (x, 3)):  # which have files of their own
        with pytest.raises(ZeroDivisionError):
            free.table(*other)
    assert [*cache.iterdir()] == [file]


def test_sums_of_few_images_are_not_kept(cache):
    free.table(images(9, 7)[:2], 5)
    assert not cache.exists()


@pytest.mark.parametrize("damage", [
    lambda kept: kept[:-1] + bytes([kept[-1] ^ 1]), lambda kept: kept[:-4], lambda kept: b"",
    lambda kept: bytes(32) + kept[32:],
], ids=["bit", "end", "all", "checksum"])  # fmt: skip
def test_damaged_sums_are_computed_again_and_mended(cache, damage):
    x = images(9, 7)
    expected = free.table(x, 5)
    (file,) = cache.iterdir()
    sound = file.read_bytes()
    file.write_bytes(damage(sound))
    np.testing.assert_array_equal(free.table(x, 5), expected)
    assert file.read_bytes() == sound and [*cache.iterdir()] == [file]


def test_a_cache_that_cannot_be_written_costs_only_time(cache, monkeypatch):
    x = images(9, 7)
    cache.parent.write_text("a file where the folder should be")
    expected = free.patch_sums(x, 5)
    np.testing.assert_array_equal(free.table(x, 5), expected)
    cache.parent.unlink()

    def full(self, content):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(free.Path, "write_bytes", full)
    np.testing.assert_array_equal(free.table(x, 5), expected)
    assert not [*cache.iterdir()]


def test_known_sums_are_the_minibatchs_and_forgotten_afterwards():
    with pytest.raises(ZeroDivisionError), free.known(tf.constant([[1], [2], [3]]), [2, 0]):
        assert free._KNOWN.get().numpy().tolist() == [[3], [1]]
        1 / 0  # noqa: B018
    with free.known(None, [2, 0]):
        assert free._KNOWN.get() is None


# Weight norm, and what is refused ----------------------------------------------------------------


def test_the_scaled_product_is_that_with_the_normalized_weights():
    """With a unit of zeros, which has no direction."""
    rng = np.random.default_rng(8)
    x, v, g, dy = (tf.constant(rng.normal(size=s)) for s in ((7, 5), (5, 4), (4,), (7, 4)))
    v = v * [1, 1, 0, 1]

    def taught(function):
        with tf.GradientTape() as tape:
            tape.watch([x, v, g])
            y = function(x, v, g)
        return [y, *tape.gradient(y, [x, v, g], dy)]

    found = taught(free.scaled_product)
    expected = taught(lambda x, v, g: x @ gradients.weight_norm(v, g, reduction_axes=0))
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("norm", "channels", "convolution"),
    [(layers.LayerNormalization(axis=[-1]), 1, {}), (layers.GroupNormalization(groups=2), 1, {}),
     (layers.RMSNormalization(), 1, {}), (None, 3, {}), (None, 1, {"padding": "valid"}),
     (None, 1, {"strides": 2}), (None, 1, {"dilation_rate": 2})],
)  # fmt: skip
def test_what_is_not_known_beforehand_is_an_error(norm, channels, convolution):
    block = free.Block(keras.layers.Conv2D(6, 5, **{"padding": "same"} | convolution), norm)
    with pytest.raises(ValueError, match="free norms are none, BN, LN of a whole image and group"):
        block.build((None, 9, 7, channels))


# Networks and training ---------------------------------------------------------------------------

ARMS = [
    Arm("none"), Arm("batch"), Arm("layer"), Arm("weight"), Arm("layer", per="channel"),
    Arm("batch", placement="hidden"), Arm("batch", placement="both", blocks=2),
    Arm("layer", placement="both", blocks=2), Arm("weight", blocks=2, init="he"),
]  # fmt: skip


def free_of(arm):
    """The arm by the shortcut."""
    return Arm(**vars(arm) | {"implementation": "free"})


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.label)
def test_a_free_network_is_the_plain_one(arm):
    """From the same weights, moved away from 1 and 0: logits, and every gradient."""
    x, rng = images(28, 28), np.random.default_rng(9)
    networks = [model.build(a, 5) for a in (arm, free_of(arm))]
    for mine, theirs in zip(*(n.trainable_variables for n in networks), strict=True):
        np.testing.assert_array_equal(mine, theirs)
        mine.assign(mine + rng.normal(0, 0.1, mine.shape))
        theirs.assign(mine)
    dy, found = tf.constant(rng.normal(size=(len(x), 10)), tf.float32), []
    for network in networks:
        block = network.layers[0]
        sums = block.patch_sums(x) if network is networks[1] else None
        with free.known(sums, tf.range(len(x))), tf.GradientTape() as tape:
            y = network(x, training=True)
        variables = [v.value for v in network.trainable_variables]
        found.append([y, *tape.gradient(y, variables, dy), *network.non_trainable_variables])
    plain = networks[0]
    names = ["y", *(v.path for v in (*plain.trainable_variables, *plain.non_trainable_variables))]
    largest = max(float(tf.norm(slope)) for slope in found[0][1:])
    for name, theirs, mine in zip(names, *found, strict=True):
        most = 1e-5 * float(tf.norm(theirs))
        if name.endswith("bias"):  # before LN the plain gradient is less exact, and before BN 0
            most = 1e-3 * largest if arm.norm == "batch" else 10 * most
        assert float(tf.norm(mine - theirs)) <= most, name


@pytest.mark.parametrize("arm", [Arm("batch"), Arm("layer")], ids=lambda arm: arm.label)
def test_a_trainer_knows_the_sums_of_every_minibatch(arm, monkeypatch):
    """Its steps call no plain norm, and train as the plain arm's do."""
    batches = tf.constant(data.batch_order(0, 1, 2000)[:60].reshape(3, 20))
    settings = {"profile": "quick", "batch_size": 20}
    expected = train.Trainer(Arm(arm.norm, **settings), 0, data.load("quick"))
    trained = train.Trainer(Arm(arm.norm, "free", **settings), 0, data.load("quick"))
    losses = expected.steps(batches, tf.fill([3], 0.01))[0]
    for layer in (layers.BatchNormalization, layers.LayerNormalization):
        monkeypatch.setattr(layer, "call", lambda *_, **__: 1 / 0)
    found = trained.steps(batches, tf.fill([3], 0.01))[0]
    np.testing.assert_allclose(found, losses, rtol=5e-4)  # BN makes most of rounding


def trained_from(trainer, start, batches):
    """All weights after these steps from `start`, as one vector."""
    for variable, value in zip(trainer.variables, start, strict=True):
        variable.assign(value)
    for accumulator in trainer.accumulators:
        accumulator.assign(tf.zeros_like(accumulator))
    trainer.steps(batches, tf.fill([len(batches)], 0.01))
    return np.concatenate([v.numpy().ravel() for v in trainer.variables])


@pytest.mark.slow
@pytest.mark.parametrize("arm", ARMS[:5], ids=lambda arm: arm.label)
def test_a_hundred_steps_lead_no_farther_away_than_a_rounding_error(arm):
    """Than three times the farthest of ten twins, which differ by an ulp in one weight.

    After one step LN is farther, by the error of the plain gradient at the bias.
    """
    plain, shortcut = (train.Trainer(a.quick(), 0, data.load("quick")) for a in (arm, free_of(arm)))
    order = [data.batch_order(0, epoch, 2000) for epoch in range(1, 6)]
    batches = tf.constant(np.concatenate(order).reshape(100, 100))
    start = [v.numpy() for v in plain.variables]
    expected = trained_from(plain, start, batches)
    twins = []
    for twin in range(10):
        kernel = start[0].copy()
        kernel.flat[37 * twin] = np.nextafter(kernel.flat[37 * twin], np.float32(9))
        twins.append(trained_from(plain, [kernel, *start[1:]], batches))
    farthest = max(np.linalg.norm(twin - expected) for twin in twins)
    found = np.linalg.norm(trained_from(shortcut, start, batches) - expected)
    assert farthest > 0 and found <= 3 * farthest
