"""Programs of the list that wait for a distribution or an estimator: named, so that none is lost.

Each says what it waits for; a test fails as soon as that exists.
"""

PENDING = {
    "Beta, implicit reparameterisation": ("C", "distributions.Beta"),
    "Dirichlet, implicit reparameterisation": ("C", "distributions.Dirichlet"),
    "StudentT, implicit reparameterisation": ("C", "distributions.StudentT"),
    "VonMises, implicit reparameterisation": ("C", "distributions.VonMises"),
    "Pareto: its scale moves the support": ("C", "distributions.Pareto"),
    "truncation points": ("C", "distributions.TruncatedNormal"),
    "Erlang: its shape has no gradient": ("C", "distributions.Erlang"),
    "E over a measure-valued pair": ("E", "estimators.MeasureValued"),
    "ARM": ("E", "estimators.ARM"),
    "DisARM": ("E", "estimators.DisARM"),
    "REBAR": ("E", "estimators.REBAR"),
    "RELAX": ("E", "estimators.RELAX"),
    "straight-through, tagged": ("S", "estimators.StraightThrough"),
    "VIMCO, unbiased for its own objective": ("D", "objectives.vimco"),
    "DReG, unbiased for its own objective": ("D", "objectives.dreg"),
}
