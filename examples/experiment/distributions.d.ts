/** The part of distributions that the statistics use; the package has no types of its own. */
declare module "distributions" {
  export class Studentt {
    /** @param freedom  degrees of freedom, above 0 */
    constructor(freedom: number);
    /** Quantile of a probability. */
    inv(probability: number): number;
  }
}
