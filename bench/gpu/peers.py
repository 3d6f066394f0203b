"""Other implementations of the same job: checked against float64, then timed as papo_gpu times the engine.

    python3 peers.py --batch DIR --out peers.json [--timing timing.json] [--quick]

`--batch` is what `papo_gpu --export` wrote: a batch and its float64 answers. Nothing is timed that fails the check.
With `--timing` (papo_gpu's figures of the same run) the comparison is printed and saved. Figures are saved after
every contender, so that a run that is stopped keeps what it has.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from pathlib import Path

import torch

from peer_torch import Autograd, ByHand, Coefficients, Rows

try:
    import triton

    import peer_triton
except ImportError as error:
    peer_triton = None
    triton_missing = str(error)

ROWS, VOCAB = 8192, 151_936


def read_batch(folder: Path, device: torch.device):
    """Logits, [rows] numbers and the float64 answers of the exported batch."""
    about = json.loads((folder / "batch.json").read_text())
    rows, vocab = about["rows"], about["vocab"]

    def raw(name: str, dtype: torch.dtype) -> torch.Tensor:
        data = bytearray((folder / name).read_bytes())
        return torch.frombuffer(data, dtype=dtype).clone()

    def numbers(name: str) -> torch.Tensor:
        return raw(f"{name}.f64", torch.float64).to(torch.float32).to(device)

    p = raw("logits.bf16", torch.bfloat16).view(rows, vocab).to(device)
    q = raw("masked_logits.bf16", torch.bfloat16).view(rows, vocab).to(device)
    names = ("old_log_probs", "ref_log_probs", "advantages", "weights", "entropy_weights")
    of_rows = Rows(raw("token_ids.i32", torch.int32).long().to(device), *map(numbers, names))
    answers = (
        raw("losses.f64", torch.float64).sum().item(),
        raw("grad_logits.f32", torch.float32).view(rows, vocab).to(device),
        raw("grad_masked_logits.f32", torch.float32).view(rows, vocab).to(device),
    )
    coefficients = Coefficients(
        about["clipLow"], about["clipHigh"], about["clipDual"], about["refKlCoef"],
        about["perceptionKlCoef"], about["entropyCoef"], about["maskedEntropyCoef"],
    )
    return p, q, of_rows, answers, coefficients


def made(rows: int, vocab: int, device: torch.device):
    """Logits as a trained model gives them, and [rows] numbers that fit: the batch of the timings."""
    torch.manual_seed(1)
    p = torch.empty(rows, vocab, device=device, dtype=torch.bfloat16)
    q = torch.empty_like(p)
    tokens = torch.randint(vocab, (rows,), device=device)
    for begin in range(0, rows, 512):
        end = min(begin + 512, rows)
        x = 2 * torch.randn(end - begin, vocab, device=device)
        y = x + 0.5 * torch.randn(end - begin, vocab, device=device)
        at = torch.arange(end - begin, device=device)
        x[at, tokens[begin:end]] = 14
        y[at, tokens[begin:end]] = 13
        p[begin:end] = x
        q[begin:end] = y
    log_prob = torch.full((rows,), -1.0, device=device)
    numbers = Rows(
        tokens,
        log_prob + 0.2 * torch.randn(rows, device=device),
        log_prob + 0.1 * torch.randn(rows, device=device),
        torch.randn(rows, device=device),
        1 + 0.5 * torch.rand(rows, device=device),
        1 + 0.5 * torch.rand(rows, device=device),
    )
    return p, q, numbers


def relative(got: torch.Tensor, want: torch.Tensor) -> float:
    return ((got.float() - want).norm() / want.norm()).item()


def timed(work, rounds: int, milliseconds: float):
    """Median and interquartile share over rounds of as many calls as take about `milliseconds`."""
    begin = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)

    def one_round(calls: int) -> float:
        begin.record()
        for _ in range(calls):
            work()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / calls

    one_round(1)
    calls = max(1, round(milliseconds / max(one_round(2), 1e-3)))
    samples = sorted(one_round(calls) for _ in range(rounds))
    quartiles = statistics.quantiles(samples, n=4) if len(samples) > 2 else [samples[0]] * 3
    median = statistics.median(samples)
    return median, (quartiles[2] - quartiles[0]) / median


class Peers:
    def __init__(self, arguments):
        self.quick = arguments.quick
        self.out = arguments.out
        self.device = torch.device("cuda", arguments.device)
        torch.cuda.set_device(self.device)
        self.small = read_batch(arguments.batch, self.device)
        self.p, self.q, self.rows = made(arguments.rows, VOCAB, self.device)
        # Each tensor is dozens of times the L2: no launch finds anything of the one before.
        self.grad_p, self.grad_q = torch.empty_like(self.p), torch.empty_like(self.q)
        self.rounds = 4 if self.quick else 7
        self.unit = self.p.numel() * 2
        self.figures = {
            "torch": torch.__version__,
            "triton": triton.__version__ if peer_triton else None,
            "rows": arguments.rows,
            "vocab": VOCAB,
            "dtype": "bfloat16",
            "contenders": [],
        }

    def save(self):
        if self.out:
            self.out.write_text(json.dumps(self.figures, indent=2) + "\n")

    def copy_bandwidth(self):
        def copies():
            self.grad_p.copy_(self.p)
            self.grad_q.copy_(self.q)

        ms, _ = timed(copies, self.rounds, 20)
        self.copy = 4 * self.unit / ms * 1e-6
        self.figures["copyGigabytesPerSecond"] = self.copy
        print(f"peers: torch {torch.__version__}, copy {self.copy:.0f} GB/s")

    def check(self, contender, chunk: int) -> tuple[float, float]:
        """Relative errors of the loss and of the gradients: the exported rows stand first, the others weigh nothing.

        The shape is that of the timings, so that what is checked is what is timed, and is compiled once.
        """
        p, q, rows, (loss, grad_p, grad_q), _ = self.small
        few = p.shape[0]
        kept = self.p[:few].clone(), self.q[:few].clone()
        numbers = Rows(*(getattr(self.rows, name).clone() for name in Rows.__dataclass_fields__))
        for name in Rows.__dataclass_fields__:
            getattr(numbers, name)[:few] = getattr(rows, name)
        numbers.weights[few:] = 0
        numbers.entropy_weights[few:] = 0
        self.p[:few], self.q[:few] = p, q
        self.grad_p.fill_(7)
        self.grad_q.fill_(7)
        got = float(contender.gradients(self.p, self.q, self.grad_p, self.grad_q, numbers, chunk))
        errors = relative(self.grad_p[:few], grad_p), relative(self.grad_q[:few], grad_q)
        idle = self.grad_p[few:].abs().max().item() + self.grad_q[few:].abs().max().item()
        self.p[:few], self.q[:few] = kept
        if idle != 0:
            raise RuntimeError("rows without weight have gradients")
        return abs(got - loss) / abs(loss), max(errors)

    def fitting_chunk(self, work) -> int:
        """All rows at once, or the half, quarter, … that memory holds."""
        chunk = self.p.shape[0]
        while True:
            try:
                work(chunk)
                torch.cuda.synchronize()
                return chunk
            except torch.cuda.OutOfMemoryError:
                if chunk <= 64:
                    raise
                chunk //= 2
            gc.collect()
            torch.cuda.empty_cache()

    def contend(self, name: str, make, kind: str):
        """Checks, tries the settings, times the best; what fails is written down as that."""
        entry = {"name": name, "kind": kind}
        start = time.time()
        try:
            entry.update(self.best(make, kind))
            moved = (4 if kind == "gradients" else 2) * self.unit
            rate = moved / entry["ms"] * 1e-6
            entry.update(bytes=moved, gigabytesPerSecond=rate, shareOfCopy=rate / self.copy)
            print(
                f"  {name:44s} {entry['ms']:9.3f} ms ± {100 * entry['spread']:.1f} %  {rate:6.0f} GB/s "
                f"{100 * rate / self.copy:5.1f} %  +{entry['extraBytes'] / 2**20:.0f} MiB"
                + (f"  in chunks of {entry['chunk']} rows" if entry["chunk"] < self.p.shape[0] else "")
                + (f"  {entry['setting']}" if entry.get("setting") else "")
            )
        except Exception as error:  # noqa: BLE001 - one contender must not end the others
            entry["failed"] = f"{type(error).__name__}: {error}".split("\n")[0][:300]
            print(f"  {name:44s} failed: {entry['failed']}")
        entry["seconds"] = time.time() - start
        self.figures["contenders"].append(entry)
        self.save()
        gc.collect()
        torch.cuda.empty_cache()

    def best(self, make, kind: str) -> dict:
        """The fastest of the contender's settings."""
        settings = getattr(make(None), "SETTINGS", [None])
        if self.quick:
            settings = settings[:3]
        results, reason = [], None
        for setting in settings:
            try:
                results.append(self.measure(make(setting), kind, setting))
            except Exception as error:  # noqa: BLE001 - a setting that does not fit is not the best one
                reason = error
                if setting is not None:
                    print(f"    {setting}: {(str(error).splitlines() or [''])[0][:120]}", file=sys.stderr)
        if not results:
            raise reason
        return min(results, key=lambda each: each["ms"])

    def measure(self, contender, kind: str, setting) -> dict:
        def work(chunk: int):
            if kind == "gradients":
                contender.gradients(self.p, self.q, self.grad_p, self.grad_q, self.rows, chunk)
            else:
                contender.forward(self.p, self.q, self.rows, chunk)

        gc.collect()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        chunk = self.fitting_chunk(work)
        torch.cuda.reset_peak_memory_stats()
        work(chunk)
        extra = torch.cuda.max_memory_allocated() - before
        loss_error, grad_error = self.check(contender, chunk)
        if not (loss_error < 1e-3 and grad_error < 1e-2):
            raise RuntimeError(f"wrong: loss {loss_error:.1e}, gradients {grad_error:.1e}")
        ms, spread = timed(lambda: work(chunk), self.rounds, 25)
        result = {"ms": ms, "spread": spread, "chunk": chunk, "extraBytes": extra}
        result.update(lossError=loss_error, gradError=grad_error)
        if setting is not None:
            result["setting"] = list(setting)
        return result

    def compare(self, timing: Path):
        """Against the engine's figures of the same run, at the same shape."""
        shapes = json.loads(timing.read_text())["shapes"]
        shape = self.figures
        ours = next(
            (s for s in shapes if (s["rows"], s["vocab"], s["dtype"], s["logits"], s["maskShare"])
             == (shape["rows"], shape["vocab"], shape["dtype"], "trained", 0)),
            None,
        )
        if ours is None:
            return
        variants = {variant["name"]: variant["ms"] for variant in ours["variants"]}
        for kind, name in (("gradients", "fused"), ("forward", "forward")):
            others = [c for c in shape["contenders"] if c["kind"] == kind and "ms" in c]
            if not others or name not in variants:
                continue
            best = min(others, key=lambda each: each["ms"])
            times = best["ms"] / variants[name]
            self.figures[f"{kind}TimesFaster"] = {"than": best["name"], "times": times}
            target = ""
            if kind == "gradients":
                target = f" (target 1.3: {'met' if times >= 1.3 else 'missed'})"
            print(
                f"  papo, {name}: {variants[name]:.3f} ms, {times:.2f} times faster than the best other, "
                f"{best['name']} {best['ms']:.3f} ms{target}"
            )
        self.save()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--batch", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--timing", type=Path)
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("peers: PyTorch sees no GPU")
    peers = Peers(arguments)
    peers.copy_bandwidth()
    c = peers.small[4]
    if peer_triton:
        for name, contender in (
            ("Triton, fused, two reads", peer_triton.Fused),
            ("Triton, forward and backward launches", peer_triton.TwoLaunches),
            ("Triton, a kernel per tensor", peer_triton.PerTensor),
        ):
            # A setting of None is the contender's own.
            peers.contend(name, lambda s, make=contender: make(c, *([s] if s else [])), "gradients")
        peers.contend(
            "Triton, forward launch", lambda s: peer_triton.TwoLaunches(c, *([s] if s else [])), "forward"
        )
    else:
        print(f"  no Triton: {triton_missing}")
    peers.contend("torch.compile, gradients by hand", lambda _: ByHand(c), "gradients")
    peers.contend("torch.compile, autograd", lambda _: Autograd(c, True), "gradients")
    peers.contend("PyTorch eager, autograd", lambda _: Autograd(c, False), "gradients")
    if not arguments.quick:
        peers.contend("torch.compile, forward", lambda _: Autograd(c, True), "forward")
        peers.contend("PyTorch eager, forward", lambda _: Autograd(c, False), "forward")
    if peer_triton:
        # Last: its programs wait for each other, and a launch that could not finish would take the rest with it.
        peers.contend(
            "Triton, teams of programs", lambda s: peer_triton.Teams(c, *([s] if s else [])), "gradients"
        )
    if arguments.timing and arguments.timing.exists():
        peers.compare(arguments.timing)
    peers.save()


if __name__ == "__main__":
    main()
