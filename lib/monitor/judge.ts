/** From the measurements of a step to signs, level and report. */
import { adviceFor, type MonitorCoefficients } from "./advice.js";
import type { Measurement } from "./measure.js";
import { type MonitorLevel, type MonitorReport, messageOf } from "./report.js";
import type { MonitorRules } from "./rules.js";
import {
  isWatched,
  type Point,
  SIGN_NAMES,
  type Sign,
  type SignName,
  type SignState,
  signAt,
} from "./signs.js";
import type { MonitorState } from "./state.js";
import { trendOf } from "./track.js";

/** Of its mean: a reward that falls by less over the window does not fall. */
const REWARD_FALL = 0.05;
/** Standard errors of the reward's slope. */
const REWARD_TREND = 3;

/** Signs, level and report of a step whose measurements are in `state`. */
export function judge(
  { before, state, invalid }: Measurement,
  coefficients: MonitorCoefficients,
): { state: MonitorState; report: MonitorReport } {
  const { rules, step } = state;
  const signs: Sign[] = [];
  const kept: Partial<Record<SignName, SignState>> = {};
  for (const name of SIGN_NAMES) {
    const sign = signAt(name, state, rules, state.signs[name], step);
    if (sign === undefined) continue;
    signs.push(Object.freeze(sign));
    kept[name] = { level: sign.level, since: sign.since, peak: sign.peak };
  }
  const level = levelOf(signs, rules, before.level);
  const changed = level !== before.level;
  const since = changed ? step : before.since;
  const said = {
    step,
    level,
    ...(level === "calm" ? {} : { since }),
    changed,
    signs: Object.freeze(signs),
    confirmed: signs.length > 0 && falls(state.rewards, rules.window),
    advice: Object.freeze(adviceFor(signs, coefficients)),
    watching: Object.freeze(SIGN_NAMES.filter((name) => isWatched(name, state, rules, step))),
    invalid: Object.freeze([...invalid]),
  };
  const report = Object.freeze({ ...said, message: messageOf(said) });
  return { state: { ...state, level, since, signs: kept }, report };
}

/**
 * An alarm takes `rules.signs` signs and a weight of `rules.weight`, where a strong sign weighs 2 and another one 1.
 * It lasts for as long as a strong sign: at the end of a collapse the KL saturates, and its variance is small again.
 */
function levelOf(signs: readonly Sign[], rules: MonitorRules, before: MonitorLevel): MonitorLevel {
  if (signs.length === 0) return "calm";
  const strong = signs.filter(({ level }) => level === "alarm").length;
  const begins = signs.length >= rules.signs && signs.length + strong >= rules.weight;
  return begins || (before === "alarm" && strong > 0) ? "alarm" : "warning";
}

function falls(rewards: readonly Point[], window: number): boolean {
  if (rewards.length < window) return false;
  const trend = trendOf(rewards);
  if (trend === undefined || trend.t > -REWARD_TREND) return false;
  const [first, last] = [rewards[0], rewards.at(-1)];
  const steps = first && last ? last[0] - first[0] : 0;
  return -trend.slope * steps > REWARD_FALL * Math.abs(trend.mean);
}
