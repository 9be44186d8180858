/** An address resolved: what is fetched, and by which name a cache knows it. */
export interface Target {
  /** Its address. */
  readonly url: string;
  /** Set where the address is on the Hugging Face hub. */
  readonly hub?: { readonly repo: string; readonly revision: string; readonly file: string } | undefined;
}
