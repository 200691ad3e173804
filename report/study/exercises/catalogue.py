"""All exercises, by the names of their functions, in their order."""

from report.study.exercises.backward import BATCH_NORM_BACKWARD, LAYER_NORM_BACKWARD
from report.study.exercises.moving import BATCH_NORM_MOVING
from report.study.exercises.network import NETWORK_NORM
from report.study.exercises.norms import BATCH_NORM, BATCH_NORM_IMAGES, LAYER_NORM
from report.study.exercises.weights import WEIGHT_NORM, WEIGHT_NORM_BACKWARD

EXERCISES = {
    exercise.name: exercise
    for exercise in (
        BATCH_NORM,
        BATCH_NORM_MOVING,
        BATCH_NORM_BACKWARD,
        LAYER_NORM,
        LAYER_NORM_BACKWARD,
        WEIGHT_NORM,
        WEIGHT_NORM_BACKWARD,
        BATCH_NORM_IMAGES,
        NETWORK_NORM,
    )
}
