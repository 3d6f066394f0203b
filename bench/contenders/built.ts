/**
 * papo as it ships: the compiled JavaScript in `dist/`, with the types of its sources.
 *
 * What runs TypeScript directly here names every closure anew whenever it is made, which a small call would feel.
 */
type Papo = typeof import("../../lib/index.js");
type Load = typeof import("../../lib/addon/load.js");

const dist = (file: string) => new URL(`../../dist/${file}`, import.meta.url).href;

export const papo: Papo = await import(dist("index.js"));
const load: Load = await import(dist("addon/load.js"));
export const binding: Load["binding"] = load.binding;
