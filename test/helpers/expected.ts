/** SHA-256 of the logits of conformance.mjs (64 greedy steps of the embedded model on the build `base`): the same on every machine and runtime. */
export const logitsDigest = '33c46247afd9af557f8a438683b22e8acdc4118a89697c8f225938a0de240b5a';
