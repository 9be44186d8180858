/** A limit for every count a file can claim, so that a hostile header costs nothing. Each is far above what real models have. */
export const limits = {
  /** Largest header seen: 12 MB (a 256,000-token vocabulary with merges). Everything before the tensor data must fit. */
  headerBytes: 256 * 1024 * 1024,
  /** Real models have a few thousand. */
  tensors: 65_536,
  /** Real models have under 200. */
  keys: 65_536,
  /** The specification's own limit. */
  keyBytes: 65_535,
  /** ggml's GGML_MAX_NAME is 64 in most builds and more in some; a longer name harms nobody here. */
  tensorNameBytes: 1_024,
  /** Chat templates reach 50 KB. */
  stringBytes: 16 * 1024 * 1024,
  /** Entries of one array: vocabularies reach 300,000, merges 600,000. */
  arrayLength: 16 * 1024 * 1024,
  /** ggml's GGML_MAX_DIMS. */
  dims: 4,
  /** One dimension; products are checked against the file. */
  dim: 2 ** 40,
  /** Parts of a split model. */
  parts: 1_024,
} as const;
