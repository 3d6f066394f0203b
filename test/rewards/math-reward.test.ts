/** The answer in the box, the format, and the authors' mix of both. */
import test from "ava";
import { PapoError } from "../../lib/core/errors.js";
import { boxedAnswer, formatReward, mathEqual, mathReward } from "../../lib/rewards/index.js";
import { HOSTILE, OWN } from "../support/hostile.js";

test("the answer is in the last box, braces nested", (t) => {
  t.is(boxedAnswer("so \\boxed{42}."), "42");
  t.is(boxedAnswer("\\boxed{1} no, \\boxed{\\frac{1}{2}}"), "\\frac{1}{2}");
  t.is(boxedAnswer("\\boxed{\\frac{\\sqrt{3}}{2^{10}}} done"), "\\frac{\\sqrt{3}}{2^{10}}");
  t.is(boxedAnswer("\\boxed{\\{1, 2\\}}"), "\\{1, 2\\}");
  t.is(boxedAnswer("\\boxed{[0, 1\\}}"), "[0, 1\\}", "an escaped brace is a sign");
  t.is(boxedAnswer("\\boxed {7}"), "7");
  t.is(boxedAnswer("\\boxed{\\boxed{3}}"), "3");
  t.is(boxedAnswer("\\boxed{}"), "");
  t.is(boxedAnswer("\\boxed{ x \n}"), "x");
});

test("a response that was cut off, or has no box, has no answer", (t) => {
  for (const response of [
    "",
    "42",
    "\\boxed",
    "\\boxed{",
    "\\boxed{1} then \\boxed{\\frac{1}{2}",
  ]) {
    t.is(boxedAnswer(response), undefined, response);
  }
  t.is(boxedAnswer("\\boxed{1} and the word \\boxed"), "1");
});

test("the format is a thought at the beginning and a box behind it", (t) => {
  const good = [
    "<think>hm</think>\\boxed{1}",
    "<think>\n\n</think>\nso\n\\boxed{\\frac{1}{2}} it is",
    "< think > hm < / think > \\boxed{1}",
    "<think></think></think>\\boxed{}",
  ];
  const bad = [
    "",
    "\\boxed{1}",
    "well, <think>hm</think>\\boxed{1}",
    "<think>\\boxed{1}</think>",
    "<think>hm</think>1",
    "<think>hm</think>\\boxed{1",
    "<think>hm\\boxed{1}",
    "</think><think>\\boxed{1}",
  ];
  for (const response of good) t.is(formatReward(response), 1, response);
  for (const response of bad) t.is(formatReward(response), 0, response);
});

test("the format agrees with the authors' pattern", (t) => {
  const pattern = /^<think>.*<\/think>.*\\boxed\{.*\}.*$/s;
  const pieces = ["<think>", "</think>", "\\boxed{", "}", "x"];
  for (let code = 0; code < 5 ** 5; code++) {
    const response = [0, 1, 2, 3, 4].map((i) => pieces[Math.floor(code / 5 ** i) % 5]).join("");
    t.is(formatReward(response), pattern.test(response) ? 1 : 0, response);
  }
});

test("the reward is 0.9 for the answer and 0.1 for the format", (t) => {
  const reference = "\\frac{1}{2}";
  const rewardOf = (response: string, options = {}) =>
    mathReward({ response, reference, ...options });
  const thought = "<think>half</think>";
  t.deepEqual(rewardOf(`${thought}\\boxed{0.5}`), { reward: 1, accuracy: 1, format: 1 });
  t.deepEqual(rewardOf("\\boxed{0.5}"), { reward: 0.9, accuracy: 1, format: 0 });
  t.deepEqual(rewardOf(`${thought}\\boxed{2}`), { reward: 0.1, accuracy: 0, format: 1 });
  t.deepEqual(rewardOf("0.5"), { reward: 0, accuracy: 0, format: 0 });
  t.is(rewardOf("\\boxed{0.5}", { formatWeight: 0 }).reward, 1);
  t.is(rewardOf(`${thought}\\boxed{2}`, { formatWeight: 0.5 }).reward, 0.5);
  t.is(rewardOf("\\boxed{0.51}", { tolerance: 0.05 }).accuracy, 1);
});

test("equality may be another's", (t) => {
  const seen: string[][] = [];
  const equal = (...answers: string[]) => seen.push(answers) > 0;
  const { accuracy } = mathReward({ response: "\\boxed{ 7 }", reference: "8", equal });
  t.is(accuracy, 1);
  t.deepEqual(seen, [["7", "8"]]);
  mathReward({ response: "7", reference: "7", equal });
  t.is(seen.length, 1, "not asked where there is no answer");
  const vague = () =>
    mathReward({ response: "\\boxed{1}", reference: "1", equal: (() => 1) as never });
  t.throws(vague, { instanceOf: PapoError, message: /equal to give a boolean/ });
});

test("what is no text, no weight and no tolerance is refused by name", (t) => {
  const refused = (call: () => unknown, message: RegExp) =>
    t.throws(call, { instanceOf: PapoError, message });
  refused(() => mathEqual(1 as never, "1"), /answer/);
  refused(() => mathEqual("1", undefined as never), /reference/);
  refused(() => mathEqual("1", "1", { tolerance: -1 }), /tolerance/);
  refused(() => mathEqual("1", "1", { epsilon: 1 } as never), /epsilon/);
  refused(() => boxedAnswer(null as never), /response/);
  refused(() => mathReward({ response: "1" } as never), /reference/);
  refused(() => mathReward({ response: "1", reference: "1", formatWeight: 2 }), /formatWeight/);
  refused(
    () => mathReward({ response: "\\boxed{1}", reference: "1", equal: 1 as never }),
    /equal to be a function/,
  );
});

test("no value of any kind surfaces as anything but a result or a PapoError", (t) => {
  for (const [name, make] of Object.entries(HOSTILE)) {
    const value = make() as never;
    const calls = [
      () => mathEqual(value, "1"),
      () => mathEqual("1", "1", value),
      () => boxedAnswer(value),
      () => formatReward(value),
      () => mathReward(value),
      () => mathReward({ response: "1", reference: "1", equal: value, formatWeight: value }),
    ];
    for (const call of calls) {
      try {
        call();
      } catch (error) {
        t.true(error instanceof PapoError || error === OWN, `${name}: ${error}`);
      }
    }
  }
  t.pass();
});
