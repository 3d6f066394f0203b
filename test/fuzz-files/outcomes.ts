/** How many cases came out how; a fuzzer whose cases all end the same way tries nothing. */
export class Outcomes extends Map<string, number> {
  add(outcome: string): void {
    this.set(outcome, (this.get(outcome) ?? 0) + 1);
  }
}
