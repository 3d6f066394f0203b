"""The loss of the issue in PyTorch: eager, compiled, and compiled with its gradients written by hand."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass
class Rows:
    """The [rows] numbers of the objective, float32 on the device; token ids are int64."""

    token_ids: torch.Tensor
    old_log_probs: torch.Tensor
    ref_log_probs: torch.Tensor
    advantages: torch.Tensor
    weights: torch.Tensor
    entropy_weights: torch.Tensor

    def part(self, begin: int, end: int) -> "Rows":
        return Rows(*(getattr(self, name)[begin:end] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Coefficients:
    clip_low: float = 0.2
    clip_high: float = 0.3
    clip_dual: float = 3.0
    ref_kl: float = 0.01
    perception_kl: float = 0.02
    entropy: float = 0.03
    masked_entropy: float = 0.03


def policy_terms(log_prob, rows: Rows, c: Coefficients):
    """Surrogate and reference KL of each token, both with autograd where log_prob has it."""
    ratio = torch.exp(torch.clamp(log_prob - rows.old_log_probs, -20.0, 20.0))
    advantage = rows.advantages
    plain = -advantage * ratio
    clipped = -advantage * torch.clamp(ratio, 1 - c.clip_low, 1 + c.clip_high)
    surrogate = torch.maximum(plain, clipped)
    # The dual clip bounds the loss of a token of negative advantage.
    surrogate = torch.where(
        advantage < 0, torch.minimum(surrogate, -advantage * c.clip_dual), surrogate
    )
    x = torch.clamp(rows.ref_log_probs - log_prob, -20.0, 20.0)
    ref_kl = torch.clamp(torch.expm1(x) - x, max=10.0)
    return surrogate, ref_kl


def token_losses(p, q, rows: Rows, c: Coefficients):
    """[rows] losses; float32 throughout, as everybody writes it."""
    log_p = torch.log_softmax(p.float(), dim=-1)
    log_q = torch.log_softmax(q.float(), dim=-1)
    log_prob = log_p.gather(1, rows.token_ids[:, None]).squeeze(1)
    prob_p = log_p.exp()
    entropy = -(prob_p * log_p).sum(-1)
    masked_entropy = -(log_q.exp() * log_q).sum(-1)
    kl = (prob_p * (log_p - log_q)).sum(-1)
    surrogate, ref_kl = policy_terms(log_prob, rows, c)
    return rows.weights * (
        surrogate + c.ref_kl * ref_kl - c.perception_kl * kl
    ) + rows.entropy_weights * (c.entropy * entropy + c.masked_entropy * masked_entropy)


def loss_of(p, q, rows: Rows, c: Coefficients):
    return token_losses(p, q, rows, c).sum()


def by_hand(p, q, rows: Rows, c: Coefficients):
    """(loss, gradient of p, gradient of q) without autograd: what a compiler can fuse best."""
    x, y = p.float(), q.float()
    log_p = x - torch.logsumexp(x, dim=-1, keepdim=True)
    log_q = y - torch.logsumexp(y, dim=-1, keepdim=True)
    prob_p, prob_q = log_p.exp(), log_q.exp()
    entropy = -(prob_p * log_p).sum(-1, keepdim=True)
    masked_entropy = -(prob_q * log_q).sum(-1, keepdim=True)
    kl = (prob_p * (log_p - log_q)).sum(-1, keepdim=True)
    log_prob = log_p.gather(1, rows.token_ids[:, None])
    loss, slope = policy_slope(log_prob.squeeze(1), rows, c)
    k = (-c.perception_kl * rows.weights)[:, None]
    h = (c.entropy * rows.entropy_weights)[:, None]
    h_q = (c.masked_entropy * rows.entropy_weights)[:, None]
    loss = loss + (k * kl + h * entropy + h_q * masked_entropy).squeeze(1)
    columns = torch.arange(p.shape[1], device=p.device)[None, :]
    chosen = columns == rows.token_ids[:, None]
    slope = slope[:, None]
    grad_p = prob_p * (k * (log_p - log_q - kl) - h * (log_p + entropy) - slope)
    grad_p = grad_p + torch.where(chosen, slope, 0.0)
    grad_q = k * (prob_q - prob_p) - h_q * prob_q * (log_q + masked_entropy)
    return loss.sum(), grad_p.to(p.dtype), grad_q.to(q.dtype)


def policy_slope(log_prob, rows: Rows, c: Coefficients):
    """Weighted surrogate and reference KL of each token, and their slope in its log-prob."""
    ratio = torch.exp(torch.clamp(log_prob - rows.old_log_probs, -20.0, 20.0))
    a = rows.advantages
    surrogate, ref_kl = policy_terms(log_prob, rows, c)
    bound = torch.where(
        a > 0, ratio > 1 + c.clip_high, (ratio < 1 - c.clip_low) | (ratio > c.clip_dual)
    )
    x = torch.clamp(rows.ref_log_probs - log_prob, -20.0, 20.0)
    slope = torch.where(bound, 0.0, -a * ratio) - c.ref_kl * torch.expm1(x)
    return rows.weights * (surrogate + c.ref_kl * ref_kl), rows.weights * slope


class Autograd:
    """Forward and backward by autograd, of all rows at once or of as many as memory holds."""

    def __init__(self, c: Coefficients, compiled: bool):
        self.c = c
        self.loss = torch.compile(loss_of, dynamic=False) if compiled else loss_of
        self.losses = torch.compile(token_losses, dynamic=False) if compiled else token_losses

    def gradients(self, p, q, grad_p, grad_q, rows: Rows, chunk: int):
        total = 0.0
        for begin in range(0, p.shape[0], chunk):
            end = min(begin + chunk, p.shape[0])
            x = p[begin:end].detach().requires_grad_(True)
            y = q[begin:end].detach().requires_grad_(True)
            loss = self.loss(x, y, rows.part(begin, end), self.c)
            dx, dy = torch.autograd.grad(loss, (x, y))
            grad_p[begin:end].copy_(dx)
            grad_q[begin:end].copy_(dy)
            total = total + loss.detach()
        return total

    def forward(self, p, q, rows: Rows, chunk: int):
        with torch.no_grad():
            for begin in range(0, p.shape[0], chunk):
                end = min(begin + chunk, p.shape[0])
                self.losses(p[begin:end], q[begin:end], rows.part(begin, end), self.c)


class ByHand:
    """The same with `by_hand`, compiled."""

    def __init__(self, c: Coefficients):
        self.c = c
        self.step = torch.compile(by_hand, dynamic=False)

    def gradients(self, p, q, grad_p, grad_q, rows: Rows, chunk: int):
        total = 0.0
        with torch.no_grad():
            for begin in range(0, p.shape[0], chunk):
                end = min(begin + chunk, p.shape[0])
                loss, dx, dy = self.step(p[begin:end], q[begin:end], rows.part(begin, end), self.c)
                grad_p[begin:end].copy_(dx)
                grad_q[begin:end].copy_(dy)
                total = total + loss
        return total
