"""The loss in PyTorch, float32 on the CPU, eager or compiled, driven over stdin and stdout.

A request is a line of JSON, followed by the arrays that it announces; a reply is the same the other way.
Times are taken here, so that no pipe is in them.
"""

import ctypes
import json
import sys
import time

import torch

NAMES = ("loss", "logProbs", "entropy", "kl", "gradLogits", "gradMaskedLogits")


class Loss:
    """One batch, its inputs in memory that is touched, and what the last evaluation gave."""

    def __init__(self, request):
        torch.set_num_threads(request["threads"])
        rows, vocab = request["rows"], request["vocab"]
        self.logits = read_array(torch.float32, rows, vocab)
        self.masked_logits = read_array(torch.float32, rows, vocab)
        self.token_ids = read_array(torch.int32, rows, 1).long()
        self.old_log_probs = read_array(torch.float32, rows)
        self.ref_log_probs = read_array(torch.float32, rows)
        self.advantages = read_array(torch.float32, rows)
        self.objective = request["objective"]
        self.results = ()
        if request["compiled"]:
            self.loss = torch.compile(self.loss, dynamic=False)

    def loss(self, logits, masked_logits):
        o = self.objective
        log_p = torch.log_softmax(logits, dim=-1)
        log_q = torch.log_softmax(masked_logits, dim=-1)
        p = log_p.exp()
        entropy = -(p * log_p).sum(-1)
        masked_entropy = -(log_q.exp() * log_q).sum(-1)
        kl = (p * (log_p - log_q)).sum(-1)
        log_probs = log_p.gather(1, self.token_ids).squeeze(1)

        ratio = torch.exp(log_probs - self.old_log_probs)
        clipped = torch.clamp(ratio, 1 - o["clipLow"], 1 + o["clipHigh"])
        surrogate = torch.maximum(-self.advantages * ratio, -self.advantages * clipped)
        bounded = torch.minimum(surrogate, -self.advantages * o["clipDual"])
        surrogate = torch.where(self.advantages < 0, bounded, surrogate)
        difference = self.ref_log_probs - log_probs
        ref_kl = torch.expm1(difference) - difference

        terms = surrogate + o["refKlCoef"] * ref_kl - o["perceptionKlCoef"] * kl
        terms = terms + o["entropyCoef"] * entropy + o["maskedEntropyCoef"] * masked_entropy
        return terms.mean(), log_probs, entropy, kl

    def forward(self):
        with torch.no_grad():
            return self.loss(self.logits, self.masked_logits)

    def gradients(self):
        logits = self.logits.requires_grad_()
        masked_logits = self.masked_logits.requires_grad_()
        values = self.loss(logits, masked_logits)
        return *values, *torch.autograd.grad(values[0], (logits, masked_logits))

    def run(self, operation):
        """Seconds of one evaluation."""
        # What the last evaluation left goes first, as a trainer's would.
        self.results = ()
        start = time.perf_counter()
        self.results = getattr(self, operation)()
        return time.perf_counter() - start


def memory(tensor):
    """The bytes of a contiguous tensor, to be read and written."""
    size = tensor.numel() * tensor.element_size()
    return memoryview((ctypes.c_char * size).from_address(tensor.data_ptr())).cast("B")


def read_array(dtype, *shape):
    tensor = torch.empty(shape, dtype=dtype)
    rest = memory(tensor)
    while rest:
        rest = rest[sys.stdin.buffer.readinto(rest) :]
    return tensor


def reply(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main():
    loss = None
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        if request["do"] == "load":
            loss = Loss(request)
            reply(version=torch.__version__)
        elif request["do"] == "run":
            reply(seconds=loss.run(request["operation"]))
        elif request["do"] == "results":
            reply(lengths={name: value.numel() for name, value in zip(NAMES, loss.results)})
            for value in loss.results:
                sys.stdout.buffer.write(memory(value))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
