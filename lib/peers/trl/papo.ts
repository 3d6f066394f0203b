/** PAPOConfig, which TRL had for a while (removed in its issue 6235). */
import type { Contribution, PeerOptions } from "../peer.js";
import { nonNegative } from "../readers.js";
import type { TrlOptions, TrlPapoOptions } from "./options.js";

export const TRL_PAPO: PeerOptions<TrlPapoOptions, TrlOptions> = {
  perception_loss_weight: {
    default: 0,
    read: nonNegative,
    meaning: "PAPOConfig (removed): weight of the perception KL, 0.1 there.",
    ours: ["perceptionKlCoef", "perceptionKlMin", "perceptionKlMax"],
    to: (weight) => (weight === 0 ? {} : perceptionLoss(weight)),
  },
  der_loss_weight1: {
    default: 0,
    read: nonNegative,
    meaning: "PAPOConfig (removed): weight of the policy's entropy, 0.03 there.",
    ours: ["entropyCoef"],
    to: (weight) => (weight === 0 ? {} : { spec: { entropyCoef: weight }, differences: [DEAD] }),
  },
  der_loss_weight2: {
    default: 0,
    read: nonNegative,
    meaning: "PAPOConfig (removed): weight of the masked policy's entropy, 0.03 there.",
    ours: ["maskedEntropyCoef"],
    to: (weight) =>
      weight === 0 ? {} : { spec: { maskedEntropyCoef: weight }, differences: [DEAD] },
  },
};

function perceptionLoss(weight: number): Contribution {
  return {
    spec: {
      perceptionKlCoef: weight,
      perceptionKlEstimator: "k3",
      perceptionKlMin: 0,
      perceptionKlMax: 0.2,
    },
    batch: ["maskedLogProbs"],
    differences: [
      {
        what: "TRL's perception term is averaged over padding too, and not scaled with loss_type or accumulation.",
        why: "it is added per token without a mask, then .mean() (papo_trainer.py:311-317); here it shares the reduction of the policy term",
      },
    ],
  };
}

const DEAD = {
  what: "TRL's double entropy has no gradient on either side.",
  why: "its entropies are computed under no_grad; here they have the gradient that the option promises",
};
