/** The part of asciichart that the example uses; the package has no types of its own. */
declare module "asciichart" {
  export function plot(values: readonly number[], options?: { height?: number }): string;
}
