"""A training step of a variational auto-encoder: 784-400-20-400-784, relu, Bernoulli, Adam.

Analytic KL divergence (Kingma and Welling 2014), binary images.
"""

from __future__ import annotations

from functools import partial

from benchmarks._worker import Program
from benchmarks.steps._data import DIM, images


def _scg(*, batch: int, hidden: int = 400, latent: int = 20, compiled: bool) -> Program:
    import numpy as np

    import scg
    from benchmarks.steps import _in_scg
    from scg import nn, optim

    rng = np.random.default_rng(0)
    encoder = nn.MLP([DIM, hidden, 2 * latent], activation="relu", rng=rng)
    decoder = nn.MLP([latent, hidden, DIM], activation="relu", rng=rng)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    adam = optim.Adam(parameters, lr=1e-3)
    prior = scg.Normal(np.zeros(latent, np.float32), np.float32(1))

    def step(x):
        loc, log_var = scg.split(encoder(x), 2, axis=-1)
        q = scg.Normal(loc, scg.exp(0.5 * log_var))
        z = q.sample(rng=rng)
        bound = scg.elbo(scg.Bernoulli(logits=decoder(z)).log_prob(x), q, prior, z)
        loss = -bound.value.mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss

    return _in_scg.program(step, [(x,) for x in images(batch)], parameters, compiled=compiled)


def in_jax(*, batch: int, hidden: int = 400, latent: int = 20) -> Program:
    import jax
    import jax.numpy as jnp
    import numpy as np

    from benchmarks.steps import _in_jax

    rng = np.random.default_rng(0)
    encoder = _in_jax.mlp(rng, DIM, hidden, 2 * latent)
    decoder = _in_jax.mlp(rng, latent, hidden, DIM)

    def loss(params, key, x):
        encoder, decoder = params
        loc, log_var = jnp.split(_in_jax.apply(encoder, x), 2, axis=-1)
        z = loc + jnp.exp(0.5 * log_var) * jax.random.normal(key, loc.shape)
        logits = _in_jax.apply(decoder, z)
        reconstruction = (x * logits - jax.nn.softplus(logits)).sum(-1)
        kl = 0.5 * (jnp.exp(log_var) + loc * loc - 1 - log_var).sum(-1)
        return -(reconstruction - kl).mean()

    params = (encoder, decoder)
    step, state = _in_jax.with_adam(loss, params)
    return _in_jax.program(step, state, [(x,) for x in images(batch)], _in_jax.size(params))


def _torch(*, batch: int, hidden: int = 400, latent: int = 20, compiled: bool) -> Program:
    import torch

    from benchmarks.steps import _in_torch

    class Vae(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = _in_torch.mlp(DIM, hidden, 2 * latent)
            self.decoder = _in_torch.mlp(latent, hidden, DIM)

        def forward(self, x):
            loc, log_var = self.encoder(x).chunk(2, dim=-1)
            z = loc + torch.exp(0.5 * log_var) * torch.randn_like(loc)
            bce = torch.nn.functional.binary_cross_entropy_with_logits
            reconstruction = -bce(self.decoder(z), x, reduction="none").sum(-1)
            kl = 0.5 * (log_var.exp() + loc * loc - 1 - log_var).sum(-1)
            return -(reconstruction - kl).mean()

    model = Vae()
    adam = _in_torch.adam(model.parameters())
    return _in_torch.program(model, adam, [(x,) for x in images(batch)], compiled=compiled)


in_scg, in_scg_eager = partial(_scg, compiled=True), partial(_scg, compiled=False)
in_torch, in_torch_compiled = partial(_torch, compiled=False), partial(_torch, compiled=True)
