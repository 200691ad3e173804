"""The properties of ops, gradients and layers, on the code as it is."""

import cases
import properties
import pytest


@pytest.mark.parametrize("name", cases.CASES)
@pytest.mark.parametrize("equation", properties.EQUATIONS, ids=lambda f: f.__name__)
def test_equation(equation, name):
    equation(cases.CASES[name])


@pytest.mark.parametrize("law", properties.SINGLE, ids=lambda f: f.__name__)
def test_law(law):
    law()


@pytest.mark.parametrize("mode", ["tf.function", "XLA"])
@pytest.mark.parametrize("name", properties.SCALE_INVARIANT)
def test_euler_identity_in_graphs(name, mode):
    properties.euler_holds(name, mode)


@pytest.mark.parametrize("mode", ["tf.function", "XLA"])
def test_euler_identity_of_weight_norm_in_graphs(mode):
    properties.euler_holds_for_weight_norm(mode)
