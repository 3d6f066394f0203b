/** The table of estimators: complete, consistent with itself, and not for callers to change. */
import test from "ava";
import { estimateAdvantages } from "../../lib/advantages/estimate.js";
import { ADVANTAGE_KINDS, ADVANTAGES } from "../../lib/advantages/table.js";

test("the table has every estimator of the family, under its own name", (t) => {
  t.deepEqual(ADVANTAGE_KINDS, [
    "grpo",
    "dr-grpo",
    "grpo-batch",
    "rloo",
    "reinforce++",
    "reinforce++-baseline",
    "remax",
    "opo",
    "gpg",
    "pass@k",
    "pkpo",
    "gdpo",
    "gae",
  ]);
  for (const kind of ADVANTAGE_KINDS) t.is(ADVANTAGES[kind].kind, kind);
});

for (const kind of ADVANTAGE_KINDS) {
  const definition = ADVANTAGES[kind];

  test(`${kind} says what it is and where it comes from`, (t) => {
    const { summary, formula, source, findings, peers } = definition;
    for (const text of [summary, formula, source, ...findings, ...peers]) t.true(text.length > 5);
    t.regex(source, /arXiv \d{4}\.\d{4,5}/);
  });

  test(`${kind} takes its defaults as parameters`, (t) => {
    const parameters = Object.entries(definition.parameters).map(([name, parameter]) => {
      t.true(parameter.meaning.length > 5, name);
      return [name, parameter.default];
    });
    const inputs: Record<string, unknown> = { groups: [0, 0, 1, 1] };
    const rewards = [1, 0, 0.5, 2];
    if (definition.needs.includes("rewardComponents")) inputs.rewardComponents = [rewards];
    else inputs.rewards = rewards;
    if (definition.needs.includes("lengths")) inputs.lengths = [1, 2, 3, 4];
    if (definition.needs.includes("baselines")) inputs.baselines = [0, 0, 1, 1];
    if (definition.needs.includes("tokens")) inputs.shape = [4, 2];
    if (definition.needs.includes("values")) inputs.values = [0, 1, 2, 3, 4, 5, 6, 7];
    const explicit = { ...inputs, ...Object.fromEntries(parameters) };
    const estimate = estimateAdvantages(kind, inputs as never);
    t.deepEqual(estimateAdvantages(kind, explicit as never), estimate);
    t.is(estimate.advantages.length, definition.level === "token" ? 8 : 4);
    t.is(estimate.returns?.length, definition.level === "token" ? 8 : undefined);
  });
}

test("nothing in the table can be changed", (t) => {
  for (const definition of Object.values(ADVANTAGES)) {
    t.true(Object.isFrozen(definition));
    t.true(Object.isFrozen(definition.findings));
    for (const parameter of Object.values(definition.parameters))
      t.true(Object.isFrozen(parameter));
  }
});
