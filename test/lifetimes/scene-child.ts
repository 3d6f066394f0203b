/** Runs scenes one after the other: `scene-child.ts SEED NAME=ROUNDS…`. */
import { Random } from "../support/inputs.js";
import { SCENES } from "./scenes.js";

const [seed, ...scenes] = process.argv.slice(2);
for (const text of scenes) {
  const [name = "", rounds] = text.split("=");
  const scene = SCENES[name];
  if (scene === undefined) throw new Error(`no scene ${name}: ${Object.keys(SCENES).join(", ")}`);
  await scene.run(Number(rounds), new Random(Number(seed)));
  console.log(`${name}: done`);
}
