"""What holds for every family: shapes, dtypes, seeds, routes, bad arguments."""

import numpy as np
import pytest
from families import FINITE, NO_ENTROPY, raw, rebuild, simple

import scg
from scg.distributions._base import Distribution
from scg.distributions._kl import PAIRS
from scg.errors import BiasedGradientError, OptionError

NAMES = list(simple())
every_family = pytest.mark.parametrize("name", NAMES)
SHAPES = pytest.mark.parametrize(
    ("asked", "shape"), [((), ()), (4, (4,)), ((4,), (4,)), ((2, 0), (2, 0)), (np.int64(2), (2,))]
)


def test_every_public_family_is_tested():
    public = {n for n in scg.distributions.__all__ if isinstance(getattr(scg, n), type)}
    assert public - {"Distribution"} == {type(d).__name__ for d in simple().values()}


@every_family
@SHAPES
def test_shapes(name, asked, shape):
    d = simple()[name]
    vectors = d.event_shape or "Categ" in name or "Mixture" in name
    assert d.batch_shape == ((2,) if vectors else (2, 3))
    value = d.sample(asked, rng=0)
    assert value.shape == shape + d.batch_shape + d.event_shape
    assert d.log_prob(value).shape == shape + d.batch_shape
    if name not in NO_ENTROPY:
        assert d.entropy().shape == d.batch_shape
    assert d.mean.shape == d.variance.shape == d.batch_shape + d.event_shape


@every_family
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_that_of_the_parameters(name, dtype):
    d = simple(dtype)[name]
    value = d.sample(3, rng=0)
    assert value.dtype == (np.int64 if name.startswith("Categorical") else dtype)
    assert d.dtype == d.mean.dtype == d.variance.dtype == d.log_prob(value).dtype == dtype
    if name not in NO_ENTROPY:
        assert d.entropy().dtype == dtype
    if (type(d), type(d)) in PAIRS:
        assert scg.kl_divergence(d, d).dtype == dtype
    if not d.event_shape:
        assert d.log_prob(1).dtype == d.log_prob(1.0).dtype == dtype
        assert d.log_prob(np.ones(d.batch_shape, np.int64)).dtype == dtype
        assert d.log_prob(np.ones(d.batch_shape, np.bool_)).dtype == dtype


@every_family
def test_same_seed_same_numbers(name):
    d = simple()[name]
    first = raw(d.sample(20, rng=7))
    np.testing.assert_array_equal(first, raw(d.sample(20, rng=np.random.default_rng(7))))
    assert not np.array_equal(first, raw(d.sample(20, rng=8)))


@every_family
def test_the_default_generator_is_seeded_and_advances(name):
    d = simple()[name]
    scg.seed(5)
    first, second = raw(d.sample(20)), raw(d.sample(20))
    assert not np.array_equal(first, second)
    scg.seed(5)
    np.testing.assert_array_equal(first, raw(d.sample(20)))


@every_family
def test_a_generator_advances(name):
    d, rng = simple()[name], np.random.default_rng(3)
    assert not np.array_equal(raw(d.sample(20, rng=rng)), raw(d.sample(20, rng=rng)))


@every_family
@pytest.mark.parametrize("rng", ["0", 1.5, True, np.random.RandomState, object()])
def test_what_is_no_source_of_noise_is_refused(name, rng):
    with pytest.raises(OptionError, match="rng="):
        simple()[name].sample(rng=rng)


@every_family
@pytest.mark.parametrize("shape", [-1, (2, -1), (1.5,), ("a",)])
def test_what_is_no_shape_is_refused(name, shape):
    with pytest.raises(OptionError, match="sizes"):
        simple()[name].sample(shape)


@every_family
def test_routes(name):
    d = simple()[name]
    np.testing.assert_array_equal(
        raw(d.sample(5, rng=1)), raw(d.sample(5, rng=1, estimator="score"))
    )
    if d.reparameterised:
        assert d.sample(rng=1, estimator="pathwise").shape == d.batch_shape + d.event_shape
    else:
        with pytest.raises(BiasedGradientError, match=d.name):
            d.sample(rng=1, estimator="pathwise")
    with pytest.raises(OptionError, match="estimator"):
        d.sample(estimator="magic")


@every_family
def test_description_names_family_parameters_and_shapes(name):
    d = simple()[name]
    assert repr(d).startswith(f"{d.name}({next(iter(d.parameters))}: ")
    assert d.describe().startswith(d.name)
    assert str(d.batch_shape) in d.describe()


@every_family
def test_values_of_a_wrong_shape_are_refused(name):
    d = simple()[name]
    with pytest.raises(scg.ShapeError):
        d.log_prob(np.eye(7) if d.event_shape else np.ones((7, 7)))
    if d.event_shape:
        with pytest.raises(scg.ShapeError, match="event shape"):
            d.log_prob(1.0)


@every_family
def test_values_that_are_not_a_number_are_refused(name):
    d = simple()[name]
    value = np.zeros(d.batch_shape + d.event_shape)
    value[(-1,) * value.ndim] = np.nan
    with pytest.raises(scg.SupportError, match="value") as error:
        d.log_prob(value)
    index = tuple(n - 1 for n in value.shape)
    assert d.name in str(error.value)
    assert f"nan at index {index}" in str(error.value) or d.name == "OneHotCategorical"


@every_family
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_not_finite_are_refused(name, bad):
    d = simple()[name]
    for parameter, value in d.parameters.items():
        broken = np.array(raw(value))
        index = tuple(n - 1 for n in broken.shape)
        broken[index] = bad
        given = {k: raw(v) for k, v in d.parameters.items()} | {parameter: broken}
        with pytest.raises(scg.SupportError) as error:
            rebuild(d, given)
        owner = d.components if "." in parameter else d
        for word in (owner.name, parameter.rpartition(".")[2], str(bad), str(index)):
            assert word in str(error.value)


@every_family
def test_parameters_that_are_no_numbers_are_refused(name):
    d = simple()[name]
    for parameter in d.parameters:
        given = dict(d.parameters) | {parameter: np.array("x")}
        with pytest.raises(scg.DTypeError):
            rebuild(d, given)


@pytest.mark.parametrize("name", [n for n in NAMES if "Mixture" not in n])
def test_integer_parameters_become_float64(name):
    family = type(simple()[name])
    whole = {"low": 0, "factor": [[1]], "covariance": [[1]], "precision": [[1]], "direction": [1]}
    parameters = {key: whole.get(key, 1) for key in simple()[name].parameters}
    if set(parameters) & {"factor", "covariance", "precision"}:
        parameters["loc"] = [1]
    if "Categ" in name:
        parameters = {key: [1, 2] for key in parameters}
    assert family(**parameters).dtype == np.float64


@pytest.mark.parametrize("name", sorted(NO_ENTROPY))
def test_an_entropy_without_a_closed_form_is_refused(name):
    with pytest.raises(OptionError, match=r"has no entropy in closed form"):
        simple()[name].entropy()


@pytest.mark.parametrize("name", sorted(FINITE - NO_ENTROPY))
def test_entropy_is_the_expected_surprise_of_a_finite_support(name):
    d = simple()[name]
    log_p = raw(d.log_prob(d.enumerate_support()))
    np.testing.assert_allclose(-np.sum(np.exp(log_p) * log_p, 0), raw(d.entropy()), rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["Normal", "Normal factor", "RankOneNormal", "Uniform", "Exponential"]
)
def test_entropy_is_the_surprise_at_the_mean_of_a_simple_log_density(name):
    """It is linear, or constant, or quadratic: then E[-log p] lies at one standard deviation."""
    d = simple()[name]
    surprise = -raw(d.log_prob(d.mean))
    if "Normal" in d.name:
        surprise = surprise + 0.5 * max(1, *d.event_shape, 0)
    np.testing.assert_allclose(surprise, raw(d.entropy()), rtol=1e-12)


@every_family
def test_a_finite_support_is_enumerated_and_an_infinite_one_refused(name):
    d = simple()[name]
    if name not in FINITE:
        with pytest.raises(OptionError, match=r"scg\.\w+ has infinitely.*estimator"):
            d.enumerate_support()
        return
    values = d.enumerate_support()
    assert values.shape[1:] == (1,) * len(d.batch_shape) + d.event_shape
    assert len(np.unique(values, axis=0)) == len(values)
    p = np.exp(raw(d.log_prob(values)))
    assert p.shape == (len(values), *d.batch_shape)
    np.testing.assert_allclose(p.sum(axis=0), 1.0, rtol=1e-12)
    value = raw(d.sample(20, rng=0))
    matches = values.astype(float).reshape(len(values), 1, *values.shape[1:]) == value
    assert np.all(matches.any(axis=0))
    assert values.dtype == value.dtype
    weights = p.reshape(p.shape + (1,) * len(d.event_shape))
    np.testing.assert_allclose((weights * values).sum(axis=0), raw(d.mean), rtol=1e-12)


@every_family
def test_parameters_that_are_named_special_exist(name):
    d = simple()[name]
    assert d.moves_support | d.without_gradient <= set(d.parameters)
    assert isinstance(d.moves_support, frozenset)


def test_a_family_without_closed_forms_says_so():
    d = Distribution()
    for call in (d.entropy, lambda: d.mean, lambda: d.variance, lambda: d.log_prob(0.0)):
        with pytest.raises(OptionError, match=r"scg\.Distribution has no"):
            call()
    with pytest.raises(OptionError, match="not reparameterised"):
        d._noise_to_value(None, ())
