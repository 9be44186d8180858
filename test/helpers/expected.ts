/** SHA-256 of the logits of conformance.mjs (64 greedy steps of the embedded model on the build `base`): the same on every machine and runtime. */
export const logitsDigest = '6674c1ccefec4c1db443e64e921a3d4c422c5568d6d53d69cf226d2d9fbf9c69';
