/** papo, fused and composed, beside every peer that can be had, on the same numbers of threads. */
import type { Peer } from "../contenders/contender.js";
import { PEERS } from "../contenders/peers.js";
import { type Case, caseOf, oneAndAll, type PartPlan, type Scope } from "../plan.js";

/** Bytes per row and column that the hungriest peer holds at once, over both operations, and papo beside it. */
const PEER_BYTES_PER_LOGIT = 150;

export async function peers(scope: Scope): Promise<PartPlan> {
  const rows = scope.quick ? 4 : rowsFor(scope);
  const absent: Record<string, string> = {};
  const cases: Case[] = ["papo", "papo-composed"].flatMap((contender) =>
    casesOf(scope, rows, contender, contender === "papo" ? "papo" : "papo, composed + autograd"),
  );
  for (const peer of PEERS.filter(({ name }) => name.includes(scope.only ?? ""))) {
    const reason = await peer.absent();
    if (reason === undefined) cases.push(...peerCases(scope, rows, peer));
    else absent[peer.label] = reason;
  }
  return {
    name: "peers",
    title: "papo and others, the same loss",
    cases,
    rounds: 5,
    absent,
  };
}

function casesOf(scope: Scope, rows: number, contender: string, label: string): Case[] {
  return oneAndAll(scope).flatMap((threads) =>
    (["forward", "gradients"] as const).map((operation) =>
      caseOf({
        contender,
        name: `${contender} ${operation} ${threads}`,
        label,
        operation,
        rows,
        vocab: scope.vocab,
        threads,
        ...(contender !== "papo" && { relativeTo: `papo ${operation} ${threads}` }),
      }),
    ),
  );
}

/** At the size of everybody, or at the largest that the peer can do. */
function peerCases(scope: Scope, rows: number, peer: Peer): Case[] {
  return casesOf(scope, rows, peer.name, peer.label)
    .filter(({ threads }) => peer.threads === "any" || threads === 1)
    .filter(({ operation }) => peer.operations.includes(operation))
    .map((given) => {
      const largest = peer.largest(given.operation);
      const most = largest === undefined ? rows : Math.floor(largest.logits / scope.vocab);
      const own = { ...given, group: `${peer.label} ${given.threads}` };
      if (most >= rows) return own;
      return { ...own, rows: Math.max(1, most), note: `fewer rows: ${largest?.reason}` };
    });
}

/** 512 rows, or as many as leave room for the hungriest peer. */
function rowsFor({ memory, vocab }: Scope): number {
  const most = memory / (PEER_BYTES_PER_LOGIT * vocab);
  return Math.max(16, Math.min(512, 2 ** Math.floor(Math.log2(most))));
}
