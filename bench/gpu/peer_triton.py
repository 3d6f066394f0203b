"""The same loss in Triton, three ways, each as well as we can write it.

`Fused` reads a row pair twice and writes its gradients in one launch, one program per row pair; `TwoLaunches` keeps
the statistics of the forward launch for a gradient launch; `PerTensor` composes kernels that each know one policy,
as libraries do, with one more for what needs both; `Teams` is `Fused` with several programs per row pair, few
enough rows in flight that the second read comes from the L2.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from peer_torch import Coefficients, Rows, policy_slope

LOG2E = tl.constexpr(1.4426950408889634)
#: Exponents above the first block's largest that float32 sums still hold; beyond, the row is walked again.
HEADROOM = tl.constexpr(60.0)


@triton.jit
def _row(base, at, columns):
    return tl.load(base + at, mask=at < columns, other=float("-inf")).to(tl.float32)


@triton.jit
def _sums(p, q, begin, end, ref_p, ref_q, BLOCK: tl.constexpr):
    """Sums of columns [begin, end) relative to the references, and the largest logits."""
    s_p = tl.zeros([BLOCK], tl.float32)
    s_q = tl.zeros([BLOCK], tl.float32)
    a_p = tl.zeros([BLOCK], tl.float32)
    a_q = tl.zeros([BLOCK], tl.float32)
    d_p = tl.zeros([BLOCK], tl.float32)
    top_p = tl.full([BLOCK], float("-inf"), tl.float32)
    top_q = tl.full([BLOCK], float("-inf"), tl.float32)
    for start in range(begin, end, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < end
        x = _row(p, at, end)
        y = _row(q, at, end)
        top_p = tl.maximum(top_p, x)
        top_q = tl.maximum(top_q, y)
        t_p = tl.where(inside, x - ref_p, 0.0)
        t_q = tl.where(inside, y - ref_q, 0.0)
        e_p = tl.where(inside, tl.exp2(t_p * LOG2E), 0.0)
        e_q = tl.where(inside, tl.exp2(t_q * LOG2E), 0.0)
        s_p += e_p
        s_q += e_q
        a_p += e_p * t_p
        a_q += e_q * t_q
        d_p += e_p * (t_p - t_q)
    return (
        tl.sum(s_p),
        tl.sum(s_q),
        tl.sum(a_p),
        tl.sum(a_q),
        tl.sum(d_p),
        tl.max(top_p),
        tl.max(top_q),
    )


@triton.jit
def _statistics(p, q, begin, end, BLOCK: tl.constexpr):
    """The sums with references that hold: the first block's largest, or the row's where that climbs too far."""
    first = begin + tl.arange(0, BLOCK)
    ref_p = tl.max(_row(p, first, end))
    ref_q = tl.max(_row(q, first, end))
    s_p, s_q, a_p, a_q, d_p, top_p, top_q = _sums(p, q, begin, end, ref_p, ref_q, BLOCK)
    if (top_p - ref_p > HEADROOM) | (top_q - ref_q > HEADROOM):
        ref_p = top_p
        ref_q = top_q
        s_p, s_q, a_p, a_q, d_p, top_p, top_q = _sums(p, q, begin, end, ref_p, ref_q, BLOCK)
    return ref_p, ref_q, s_p, s_q, a_p, a_q, d_p


@triton.jit
def _finish(ref_p, ref_q, s_p, s_q, a_p, a_q, d_p):
    """(log-sum-exps, entropies, KL) of a row from its sums."""
    log_p = tl.log(s_p)
    log_q = tl.log(s_q)
    return (
        ref_p + log_p,
        ref_q + log_q,
        log_p - a_p / s_p,
        log_q - a_q / s_q,
        d_p / s_p - log_p + log_q,
    )


@triton.jit
def _policy(
    log_prob, old, ref, advantage,
    LOW: tl.constexpr, HIGH: tl.constexpr, DUAL: tl.constexpr, REF: tl.constexpr,
):
    """Surrogate and reference KL of a token: (loss, slope in its log-prob)."""
    ratio = tl.exp(tl.minimum(tl.maximum(log_prob - old, -20.0), 20.0))
    x = tl.minimum(tl.maximum(ref - log_prob, -20.0), 20.0)
    growth = tl.exp(x) - 1.0
    high = (advantage > 0) & (ratio > 1.0 + HIGH)
    low = (advantage < 0) & (ratio < 1.0 - LOW)
    dual = (advantage < 0) & (ratio > DUAL)
    bound = tl.where(high, 1.0 + HIGH, tl.where(low, 1.0 - LOW, tl.where(dual, DUAL, ratio)))
    free = (~high) & (~low) & (~dual)
    slope = tl.where(free, -advantage * ratio, 0.0) - REF * growth
    return -advantage * bound + REF * (growth - x), slope


@triton.jit
def _write(
    p, q, grad_p, grad_q, begin, end, token, lse_p, lse_q, h_p, h_q, kl, slope, k, h, hq,
    BLOCK: tl.constexpr,
):
    """Both gradients of columns [begin, end); each logit is read for the last time."""
    for start in range(begin, end, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < end
        x = tl.load(p + at, mask=inside, other=0.0, eviction_policy="evict_first")
        y = tl.load(q + at, mask=inside, other=0.0, eviction_policy="evict_first")
        log_p = x.to(tl.float32) - lse_p
        log_q = y.to(tl.float32) - lse_q
        prob_p = tl.exp2(log_p * LOG2E)
        prob_q = tl.exp2(log_q * LOG2E)
        dx = prob_p * (k * (log_p - log_q - kl) - h * (log_p + h_p) - slope)
        dx = tl.where(at == token, dx + slope, dx)
        dy = k * (prob_q - prob_p) - hq * prob_q * (log_q + h_q)
        tl.store(grad_p + at, dx.to(grad_p.dtype.element_ty), mask=inside, cache_modifier=".cs")
        tl.store(grad_q + at, dy.to(grad_q.dtype.element_ty), mask=inside, cache_modifier=".cs")


@triton.jit
def fused_kernel(
    p, q, grad_p, grad_q, tokens, old, ref, advantages, weights, entropy_weights, losses, pitch, columns,
    LOW: tl.constexpr, HIGH: tl.constexpr, DUAL: tl.constexpr, REF: tl.constexpr, KL: tl.constexpr,
    H: tl.constexpr, HQ: tl.constexpr, BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    p += row * pitch
    q += row * pitch
    ref_p, ref_q, s_p, s_q, a_p, a_q, d_p = _statistics(p, q, 0, columns, BLOCK)
    lse_p, lse_q, h_p, h_q, kl = _finish(ref_p, ref_q, s_p, s_q, a_p, a_q, d_p)
    token = tl.load(tokens + row)
    log_prob = tl.load(p + token).to(tl.float32) - lse_p
    loss, slope = _policy(
        log_prob, tl.load(old + row), tl.load(ref + row), tl.load(advantages + row), LOW, HIGH, DUAL, REF
    )
    w = tl.load(weights + row)
    we = tl.load(entropy_weights + row)
    tl.store(losses + row, w * (loss - KL * kl) + we * (H * h_p + HQ * h_q))
    _write(
        p, q, grad_p + row * pitch, grad_q + row * pitch, 0, columns, token, lse_p, lse_q, h_p, h_q, kl,
        w * slope, -w * KL, we * H, we * HQ, BLOCK,
    )


@triton.jit
def forward_kernel(p, q, tokens, statistics, rows, pitch, columns, BLOCK: tl.constexpr):
    """[6, rows]: both log-sum-exps, both entropies, KL and the token's log-prob."""
    row = tl.program_id(0).to(tl.int64)
    p += row * pitch
    q += row * pitch
    ref_p, ref_q, s_p, s_q, a_p, a_q, d_p = _statistics(p, q, 0, columns, BLOCK)
    lse_p, lse_q, h_p, h_q, kl = _finish(ref_p, ref_q, s_p, s_q, a_p, a_q, d_p)
    log_prob = tl.load(p + tl.load(tokens + row)).to(tl.float32) - lse_p
    tl.store(statistics + 0 * rows + row, lse_p)
    tl.store(statistics + 1 * rows + row, lse_q)
    tl.store(statistics + 2 * rows + row, h_p)
    tl.store(statistics + 3 * rows + row, h_q)
    tl.store(statistics + 4 * rows + row, kl)
    tl.store(statistics + 5 * rows + row, log_prob)


@triton.jit
def gradient_kernel(
    p, q, grad_p, grad_q, tokens, statistics, slopes, kls, entropies, masked_entropies, rows, pitch, columns,
    BLOCK: tl.constexpr,
):
    """One block of columns of one row: [rows] coefficients in, both gradients out."""
    row = tl.program_id(0).to(tl.int64)
    begin = tl.program_id(1) * BLOCK
    end = tl.minimum(begin + BLOCK, columns)
    _write(
        p + row * pitch, q + row * pitch, grad_p + row * pitch, grad_q + row * pitch, begin, end,
        tl.load(tokens + row), tl.load(statistics + 0 * rows + row), tl.load(statistics + 1 * rows + row),
        tl.load(statistics + 2 * rows + row), tl.load(statistics + 3 * rows + row),
        tl.load(statistics + 4 * rows + row), tl.load(slopes + row), tl.load(kls + row),
        tl.load(entropies + row), tl.load(masked_entropies + row), BLOCK,
    )


@triton.jit
def softmax_kernel(p, log_sums, entropies, pitch, columns, BLOCK: tl.constexpr):
    """One policy alone: log-sum-exp and entropy of each row."""
    row = tl.program_id(0).to(tl.int64)
    p += row * pitch
    first = tl.arange(0, BLOCK)
    ref = tl.max(_row(p, first, columns))
    total = tl.zeros([BLOCK], tl.float32)
    dot = tl.zeros([BLOCK], tl.float32)
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = _row(p, at, columns)
        t = tl.where(at < columns, x - ref, 0.0)
        e = tl.where(at < columns, tl.exp2(t * LOG2E), 0.0)
        total += e
        dot += e * t
    s = tl.sum(total)
    tl.store(log_sums + row, ref + tl.log(s))
    tl.store(entropies + row, tl.log(s) - tl.sum(dot) / s)


@triton.jit
def kl_kernel(p, q, log_sums, masked_log_sums, kls, pitch, columns, BLOCK: tl.constexpr):
    """What needs both policies: the exact KL, given both log-sum-exps."""
    row = tl.program_id(0).to(tl.int64)
    p += row * pitch
    q += row * pitch
    lse_p = tl.load(log_sums + row)
    lse_q = tl.load(masked_log_sums + row)
    total = tl.zeros([BLOCK], tl.float32)
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < columns
        log_p = tl.load(p + at, mask=inside, other=0.0).to(tl.float32) - lse_p
        log_q = tl.load(q + at, mask=inside, other=0.0).to(tl.float32) - lse_q
        total += tl.where(inside, tl.exp2(log_p * LOG2E) * (log_p - log_q), 0.0)
    tl.store(kls + row, tl.sum(total))


@triton.jit
def team_kernel(
    p, q, grad_p, grad_q, tokens, old, ref, advantages, weights, entropy_weights, losses, scratch, flags,
    rows, pitch, columns, slice_columns,
    LOW: tl.constexpr, HIGH: tl.constexpr, DUAL: tl.constexpr, REF: tl.constexpr, KL: tl.constexpr,
    H: tl.constexpr, HQ: tl.constexpr, TEAM: tl.constexpr, BLOCK: tl.constexpr,
):
    """TEAM programs share a row pair: each sums its slice, all wait for all sums, each writes its slice.

    All programs of the launch must run at once. Slots alternate, so that one is never overwritten while it is read.
    """
    team = tl.program_id(0) // TEAM
    rank = tl.program_id(0) % TEAM
    teams = tl.num_programs(0) // TEAM
    begin = rank * slice_columns
    end = tl.minimum(begin + slice_columns, columns)
    flag = flags + team
    turn = 0
    for row32 in range(team, rows, teams):
        row = tl.cast(row32, tl.int64)
        at_p = p + row * pitch
        at_q = q + row * pitch
        ref_p, ref_q, s_p, s_q, a_p, a_q, d_p = _statistics(at_p, at_q, begin, end, BLOCK)
        slot = scratch + ((team * 2 + turn % 2) * TEAM) * 8
        mine = slot + rank * 8
        tl.store(mine + 0, ref_p)
        tl.store(mine + 1, ref_q)
        tl.store(mine + 2, s_p)
        tl.store(mine + 3, s_q)
        tl.store(mine + 4, a_p)
        tl.store(mine + 5, a_q)
        tl.store(mine + 6, d_p)
        tl.debug_barrier()
        tl.atomic_add(flag, 1, sem="release", scope="gpu")
        turn += 1
        while tl.atomic_add(flag, 0, sem="acquire", scope="gpu") < turn * TEAM:
            pass
        tl.debug_barrier()
        ranks = tl.arange(0, TEAM)
        refs_p = tl.load(slot + ranks * 8 + 0, cache_modifier=".cg")
        refs_q = tl.load(slot + ranks * 8 + 1, cache_modifier=".cg")
        sums_p = tl.load(slot + ranks * 8 + 2, cache_modifier=".cg")
        sums_q = tl.load(slot + ranks * 8 + 3, cache_modifier=".cg")
        dots_p = tl.load(slot + ranks * 8 + 4, cache_modifier=".cg")
        dots_q = tl.load(slot + ranks * 8 + 5, cache_modifier=".cg")
        cross = tl.load(slot + ranks * 8 + 6, cache_modifier=".cg")
        ref_p = tl.max(refs_p)
        ref_q = tl.max(refs_q)
        shift_p = refs_p - ref_p
        shift_q = refs_q - ref_q
        scale_p = tl.exp2(shift_p * LOG2E)
        scale_q = tl.exp2(shift_q * LOG2E)
        s_p = tl.sum(scale_p * sums_p)
        s_q = tl.sum(scale_q * sums_q)
        a_p = tl.sum(scale_p * (dots_p + shift_p * sums_p))
        a_q = tl.sum(scale_q * (dots_q + shift_q * sums_q))
        d_p = tl.sum(scale_p * (cross + (shift_p - shift_q) * sums_p))
        lse_p, lse_q, h_p, h_q, kl = _finish(ref_p, ref_q, s_p, s_q, a_p, a_q, d_p)
        token = tl.load(tokens + row)
        log_prob = tl.load(at_p + token).to(tl.float32) - lse_p
        loss, slope = _policy(
            log_prob, tl.load(old + row), tl.load(ref + row), tl.load(advantages + row), LOW, HIGH, DUAL, REF
        )
        w = tl.load(weights + row)
        we = tl.load(entropy_weights + row)
        if rank == 0:
            tl.store(losses + row, w * (loss - KL * kl) + we * (H * h_p + HQ * h_q))
        _write(
            at_p, at_q, grad_p + row * pitch, grad_q + row * pitch, begin, end, token, lse_p, lse_q, h_p, h_q,
            kl, w * slope, -w * KL, we * H, we * HQ, BLOCK,
        )


def _constants(c: Coefficients):
    return dict(
        LOW=c.clip_low, HIGH=c.clip_high, DUAL=c.clip_dual, REF=c.ref_kl, KL=c.perception_kl,
        H=c.entropy, HQ=c.masked_entropy,
    )


def _numbers(rows: Rows):
    return (
        rows.token_ids, rows.old_log_probs, rows.ref_log_probs, rows.advantages, rows.weights,
        rows.entropy_weights,
    )


class Fused:
    """One launch, a program per row pair; every logit is read twice."""

    #: (columns per step, warps) that are tried.
    SETTINGS = [(2048, 8), (4096, 8), (4096, 16), (8192, 16), (8192, 32), (16384, 32)]

    def __init__(self, c: Coefficients, setting=(4096, 16)):
        self.c, self.setting, self.losses = c, setting, None

    def gradients(self, p, q, grad_p, grad_q, rows: Rows, _chunk: int):
        block, warps = self.setting
        count, columns = p.shape
        if self.losses is None or self.losses.numel() != count:
            self.losses = torch.empty(count, device=p.device, dtype=torch.float32)
        fused_kernel[(count,)](
            p, q, grad_p, grad_q, *_numbers(rows), self.losses, p.stride(0), columns,
            **_constants(self.c), BLOCK=block, num_warps=warps,
        )
        return self.losses.sum()


class TwoLaunches:
    """A forward launch, the objective on [rows] numbers in PyTorch, a gradient launch."""

    SETTINGS = Fused.SETTINGS

    def __init__(self, c: Coefficients, setting=(4096, 16)):
        self.c, self.setting, self.statistics = c, setting, None
        self.policy = torch.compile(policy_slope, dynamic=False)

    def forward(self, p, q, rows: Rows, _chunk: int):
        block, warps = self.setting
        count, columns = p.shape
        if self.statistics is None or self.statistics.shape[1] != count:
            self.statistics = torch.empty(6, count, device=p.device, dtype=torch.float32)
        forward_kernel[(count,)](
            p, q, rows.token_ids, self.statistics, count, p.stride(0), columns, BLOCK=block, num_warps=warps
        )
        return self.statistics

    def gradients(self, p, q, grad_p, grad_q, rows: Rows, chunk: int):
        with torch.no_grad():
            return self._backward(self.forward(p, q, rows, chunk), p, q, grad_p, grad_q, rows)

    def _backward(self, statistics, p, q, grad_p, grad_q, rows: Rows):
        c = self.c
        count, columns = p.shape
        loss, slope = self.policy(statistics[5], rows, c)
        k = -c.perception_kl * rows.weights
        h = c.entropy * rows.entropy_weights
        h_q = c.masked_entropy * rows.entropy_weights
        block = 4096
        gradient_kernel[(count, triton.cdiv(columns, block))](
            p, q, grad_p, grad_q, rows.token_ids, statistics, slope, k, h, h_q, count, p.stride(0), columns,
            BLOCK=block, num_warps=8,
        )
        return (loss + k * statistics[4] + h * statistics[2] + h_q * statistics[3]).sum()


class PerTensor(TwoLaunches):
    """As libraries compose it: each policy's softmax and entropy, the KL, then both gradients."""

    def forward(self, p, q, rows: Rows, _chunk: int):
        block, warps = self.setting
        count, columns = p.shape
        if self.statistics is None or self.statistics.shape[1] != count:
            self.statistics = torch.empty(6, count, device=p.device, dtype=torch.float32)
        s = self.statistics
        softmax_kernel[(count,)](p, s[0], s[2], p.stride(0), columns, BLOCK=block, num_warps=warps)
        softmax_kernel[(count,)](q, s[1], s[3], q.stride(0), columns, BLOCK=block, num_warps=warps)
        kl_kernel[(count,)](p, q, s[0], s[1], s[4], p.stride(0), columns, BLOCK=block, num_warps=warps)
        s[5] = p.gather(1, rows.token_ids[:, None]).squeeze(1).float() - s[0]
        return s


class Teams(Fused):
    """One launch; the second read of a slice comes from the L2. Triton has no clusters to keep it on chip."""

    #: (programs per row pair, columns per step, warps, programs per multiprocessor); what does not fit is skipped.
    SETTINGS = [
        (8, 4096, 16, 1), (8, 4096, 16, 2), (8, 2048, 8, 2), (8, 2048, 8, 4), (4, 4096, 16, 1),
        (16, 2048, 8, 4),
    ]

    def __init__(self, c: Coefficients, setting=(8, 4096, 16, 1)):
        super().__init__(c, setting)
        self.flags = self.scratch = None

    def gradients(self, p, q, grad_p, grad_q, rows: Rows, _chunk: int):
        team, block, warps, resident = self.setting
        count, columns = p.shape
        processors = torch.cuda.get_device_properties(p.device).multi_processor_count
        # A cooperative launch refuses more programs than run at once.
        teams = min(count, processors * resident // team)
        if self.losses is None or self.losses.numel() != count:
            self.losses = torch.empty(count, device=p.device, dtype=torch.float32)
            self.flags = torch.empty(teams, device=p.device, dtype=torch.int32)
            self.scratch = torch.empty(teams * 2 * team * 8, device=p.device, dtype=torch.float32)
        self.flags.zero_()
        slice_columns = triton.cdiv(triton.cdiv(columns, team), 64) * 64
        team_kernel[(teams * team,)](
            p, q, grad_p, grad_q, *_numbers(rows), self.losses, self.scratch, self.flags, count, p.stride(0),
            columns, slice_columns, **_constants(self.c), TEAM=team, BLOCK=block, num_warps=warps,
            launch_cooperative_grid=True,
        )
        return self.losses.sum()
