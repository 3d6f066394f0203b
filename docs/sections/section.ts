/** What a section of the page is. */

export interface Section {
  readonly heading: string;
  readonly body: string;
  /** Headings within it that the contents name. */
  readonly entries?: readonly string[];
}
