/** `--import` of this module: tsx for every TypeScript module, but for those of lib/, whose types `blanked.mjs` blanks. */
import { register } from "node:module";
// First, so that the hooks of blanked.mjs, which come later, are asked before those of tsx.
import "tsx";

register("./blanked.mjs", import.meta.url);
