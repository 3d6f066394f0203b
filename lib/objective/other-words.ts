/** What papers and other libraries call the keys of an objective, so that a wrong word is answered with the right one. */
import type { SpecKey } from "./spec.js";

/** Their word (lower case, without `_` and `-`) and ours. Sources: TRL, Liger-Kernel, verl and the PAPO authors' code. */
export const OTHER_WORDS: ReadonlyMap<string, SpecKey> = new Map<string, SpecKey>([
  ["cliprange", "clipHigh"],
  ["cliprangelow", "clipLow"],
  ["cliprangehigh", "clipHigh"],
  ["cliprangedual", "clipDual"],
  ["clipratiolow", "clipLow"],
  ["clipratiohigh", "clipHigh"],
  ["clipratioc", "clipDual"],
  ["clipratiodual", "clipDual"],
  ["epslow", "clipLow"],
  ["epshigh", "clipHigh"],
  ["epsilonlow", "clipLow"],
  ["epsilonhigh", "clipHigh"],
  ["epsilon", "clipHigh"],
  ["delta", "clipDual"],
  ["beta", "refKlCoef"],
  ["klcoef", "refKlCoef"],
  ["gamma", "perceptionKlCoef"],
  ["klprcpcoef", "perceptionKlCoef"],
  ["perceptionlossweight", "perceptionKlCoef"],
  ["orientropylosscoef", "entropyCoef"],
  ["augentropylosscoef", "maskedEntropyCoef"],
  ["lossavgmode", "reduction"],
  ["lossaggmode", "reduction"],
  ["losstype", "reduction"],
]);
