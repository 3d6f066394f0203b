/** `fromTrl`: the options of GRPOConfig. */
import { importConfig } from "../import.js";
import { LOSS_SHAPES } from "../loss-types.js";
import type { Peer, PeerImport } from "../peer.js";
import { TRL_LOSS } from "./loss.js";
import type { TrlOptions } from "./options.js";
import { TRL_PAPO } from "./papo.js";
import { TRL_REWARDS } from "./rewards.js";
import { TRL_TOKENS } from "./tokens.js";
import { TRL_UNRELATED } from "./unrelated.js";

export const TRL: Peer<TrlOptions> = {
  name: "TRL",
  where: "fromTrl",
  source: "trl/trainer/grpo_config.py and grpo_trainer.py, revision f2cd57710",
  always: {
    spec: {
      // TRL limits no log-ratio and no KL; 700 is where exp stays finite.
      logRatioLimit: 700,
      klLimit: null,
      refKlEstimator: "k3",
      entropyEstimator: "exact",
      entropyReduction: "token-mean",
      denominatorEpsilon: 0,
    },
  },
  options: { ...TRL_LOSS, ...LOSS_SHAPES, ...TRL_TOKENS, ...TRL_REWARDS, ...TRL_PAPO },
  unrelated: TRL_UNRELATED,
};

/**
 * The objective of a TRL GRPOConfig.
 *
 * @param config  GRPOConfig as a plain object, any part of it
 * @returns the spec, and as data what else the caller has to do; bugs are not reproduced but listed in `differences`
 * @throws PapoError ERR_ARGUMENT for misspelt options and wrong kinds, ERR_RANGE for numbers outside their range
 */
export function fromTrl(config: object): PeerImport {
  return importConfig(TRL, config);
}
