/**
 * `papo/monitor`: sees a collapse coming, says what to change, and has a schedule that does it.
 *
 * @module papo/monitor
 */
export type { Advice, MonitorCoefficients } from "./advice.js";
export {
  type BackoffCoefficients,
  PerceptionBackoff,
  type PerceptionBackoffOptions,
  type PerceptionBackoffState,
} from "./backoff.js";
export type { MonitorMetrics, Quantity } from "./measurements.js";
export {
  CollapseMonitor,
  type MonitorCallbacks,
  type MonitorOptions,
  type MonitorStep,
} from "./monitor.js";
export type { MonitorLevel, MonitorReport } from "./report.js";
export {
  MONITOR_DEFAULTS,
  type MonitorRules,
  type MonitorRulesInput,
  type Threshold,
} from "./rules.js";
export { SIGN_NAMES, type Sign, type SignLevel, type SignName } from "./signs.js";
export type { MonitorState } from "./state.js";
