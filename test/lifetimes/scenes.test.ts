/** Every scene in its short form, in a process of their own. */
import test from "ava";
import { runFile } from "./child.js";
import { SCENES } from "./scenes.js";

const seed = 1 + Math.floor(Math.random() * 2 ** 31);
const all = Object.entries(SCENES).map(([name, { rounds }]) => `${name}=${rounds}`);
const ended = runFile("scene-child.ts", [`${seed}`, ...all]);

for (const [name, { claim }] of Object.entries(SCENES)) {
  test(claim, async (t) => {
    const { stdout, stderr } = await ended;
    const again = `npm run stress -- --only ${name} --seed ${seed}`;
    t.true(stdout.includes(`${name}: done\n`), `${again}\n${stdout}${stderr}`);
  });
}

test("after all of them the process ends in peace", async (t) => {
  const { code, signal, stderr } = await ended;
  t.deepEqual([code, signal, stderr], [0, null, ""]);
});
