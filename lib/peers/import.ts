/** From a peer's config to an import: every entry of the table says its part, and the parts are put together. */
import type { Denominators } from "../functional/row-weights.js";
import { type ObjectiveSpecInput, validateSpec } from "../objective/spec.js";
import { fullName, readConfig } from "./config.js";
import type {
  Contribution,
  Difference,
  ImportedAdvantages,
  ImportedGroupFilter,
  NeededField,
  NotExpressible,
  Peer,
  PeerImport,
} from "./peer.js";

/** An import by the table of `peer`. */
export function importConfig<O extends object>(peer: Peer<O>, config: unknown): PeerImport {
  const { values, given, ignored } = readConfig(peer, config);
  const sum = new Sum();
  sum.add(peer.always);
  for (const name of Object.keys(peer.options) as (keyof O & string)[]) {
    sum.addOption(peer, name, values, given.has(name));
  }
  return sum.finish(peer.name, peer.where, ignored);
}

/** Contributions so far. */
class Sum {
  #spec: ObjectiveSpecInput = {};
  #denominators: Denominators = {};
  #advantages: ImportedAdvantages | undefined;
  #groupFilter: ImportedGroupFilter | undefined;
  readonly #wholeBatch = new Set<"tokens" | "sequences">();
  readonly #batch = new Set<NeededField>();
  readonly #rules = new Set<string>();
  readonly #notExpressible: NotExpressible[] = [];
  readonly #differences = new Set<Difference>();

  add(part: Contribution): void {
    this.#spec = { ...this.#spec, ...part.spec };
    this.#denominators = { ...this.#denominators, ...part.denominators };
    this.#advantages = part.advantages ?? this.#advantages;
    this.#groupFilter = part.groupFilter ?? this.#groupFilter;
    for (const count of part.wholeBatch ?? []) this.#wholeBatch.add(count);
    for (const field of part.batch ?? []) this.#batch.add(field);
    for (const rule of part.rules ?? []) this.#rules.add(rule);
    for (const difference of part.differences ?? []) this.#differences.add(difference);
  }

  addOption<O, K extends keyof O & string>(
    peer: Peer<O>,
    name: K,
    values: O,
    isGiven: boolean,
  ): void {
    const option = peer.options[name];
    const value = values[name];
    const part = option.to?.(value, values, isGiven);
    if (part === undefined) return;
    this.add(part);
    if (part.notExpressible === undefined) return;
    const why = part.notExpressible;
    this.#notExpressible.push({ option: fullName(name, option), value, why });
  }

  finish(peer: PeerImport["peer"], where: string, ignored: readonly string[]): PeerImport {
    return {
      peer,
      spec: validateSpec(this.#spec, where),
      ...(this.#advantages === undefined ? {} : { advantages: this.#advantages }),
      ...(this.#groupFilter === undefined ? {} : { groupFilter: this.#groupFilter }),
      denominators: this.#denominators,
      wholeBatch: [...this.#wholeBatch],
      batch: [...this.#batch],
      rules: [...this.#rules],
      notExpressible: this.#notExpressible,
      differences: [...this.#differences],
      ignored,
    };
  }
}
