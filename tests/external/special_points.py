"""Points at which a gradient is a convention: the same as JAX's, or on purpose another."""

import numpy as np

INF = np.inf
ABOUT_0 = [-1.0, -0.0, 0.0, 1.0]

# Name, inputs, statics.
SAME = [
    ("relu", [ABOUT_0], {}),
    ("sign", [ABOUT_0], {}),
    ("elu", [ABOUT_0], {"alpha": 0.7}),
    ("selu", [ABOUT_0], {}),
    ("i0e", [ABOUT_0], {}),
    ("i1e", [ABOUT_0], {}),
    ("max", [[1.0, 3.0, 3.0, 0.0]], {}),
    ("max", [[[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]], {"axis": 1}),
    ("min", [[1.0, 3.0, 1.0, 1.0]], {}),
    ("maximum", [[1.0, 2.0, 0.0, 0.0], [1.0, 3.0, -0.0, 0.0]], {}),
    ("minimum", [[1.0, 2.0, 0.0, 0.0], [1.0, 3.0, -0.0, 0.0]], {}),
    ("clip", [[-2.0, -1.0, 0.0, 1.0, 2.0]], {"min": -1.0, "max": 1.0}),
    ("max_pool2d", [np.ones((1, 1, 4, 4))], {"size": 2, "stride": None, "padding": 0}),
    ("norm", [[2.0, -2.0, 1.0]], {"ord": INF}),
    ("prod", [[2.0, 0.0, 3.0]], {}),
    ("prod", [[0.0, 0.0, 3.0]], {}),
    ("cumprod", [[0.0, 2.0, 0.0, 3.0]], {"axis": 0}),
    ("var", [[1.0, 1.0, 1.0]], {}),
    ("arctan2", [[0.0, 1.0], [0.0, 0.0]], {}),
    ("sqrt", [[0.0, 1.0]], {}),
    ("cbrt", [[0.0, 1.0]], {}),
    ("logsumexp", [[-INF, 1.0, 1.0]], {}),
    ("softmax", [[-INF, 1.0, 1.0]], {"axis": -1}),
    ("log_softmax", [[-INF, 1.0, 1.0]], {"axis": -1}),
    ("sigmoid", [[-800.0, 0.0, 800.0]], {}),
    ("log_sigmoid", [[-800.0, 0.0, 800.0]], {}),
    ("softplus", [[-800.0, 0.0, 800.0]], {}),
    ("silu", [[-800.0, 0.0, 800.0]], {}),
    ("gelu", [[-40.0, 0.0, 40.0]], {}),
    ("tanh", [[-800.0, 0.0, 800.0]], {}),
    ("bernoulli_log_prob", [[0.0, 1.0, 1.0, 0.0], [800.0, 800.0, -800.0, -800.0]], {}),
    ("eigvalsh", [np.eye(3)], {}),
    ("svdvals", [np.eye(3)], {}),
]

# Name, inputs, statics, our slopes for a cotangent of ones.
DIFFERENT = [
    # The subgradient 0; newer versions of JAX choose 1.
    ("abs", [[0.0, -0.0]], {}, [0, 0]),
    # As the slope of relu, that of the side on which the kink itself lies.
    ("leaky_relu", [[0.0]], {"negative_slope": 0.1}, [0.1]),
    # The average over all orders of equal numbers; JAX takes the first.
    ("topk", [[2.0, 1.0, 2.0, 2.0]], {"k": 2}, [2 / 3, 0, 2 / 3, 2 / 3]),
    # A norm has slope 0 at 0, and so has all that is one.
    ("norm", [[0.0, 0.0]], {"ord": 2}, [0, 0]),
    ("norm", [[0.0, 2.0]], {"ord": 1}, [0, 1]),
    ("std", [[1.0, 1.0]], {}, [0, 0]),
    ("hypot", [[0.0], [0.0]], {}, [0, 0]),
    # What has no weight gets no cotangent, instead of NaN.
    ("logsumexp", [[-INF, -INF]], {}, [0, 0]),
    ("xlogy", [[0.0], [0.0]], {}, [-INF, 0]),
    ("xlog1py", [[0.0], [-1.0]], {}, [-INF, 0]),
    # The density of an exponential variable is 1 at 0.
    ("gammainc", [[1.0], [0.0]], {}, [0, 1]),
    # The formula goes on where the density is 0, so that no comparison is seen in it.
    ("uniform_log_prob", [[2.0], [0.0], [1.0]], {}, [0, 1, -1]),
    ("exponential_log_prob", [[-1.0], [2.0]], {}, [-2, 1.5]),
]
