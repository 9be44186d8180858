/** Files that people take for a model: what a file is that does not begin with "GGUF", by its first bytes, and what its owner can do. */

/** `found` and `remedy` of an error. */
export interface Foreign { readonly found: string; readonly remedy: string }

const convert = 'Take the GGUF file of this model (its page lists them under Files, often in a repository of its own), or convert it: '
  + 'convert_hf_to_gguf.py of llama.cpp.';
const ancestor = 'Convert the original model again with a current llama.cpp, or take its GGUF file.';
const unpack = 'Unpack it, and load the .gguf file that is in it.';

/** Formats by their first bytes, as Latin-1. */
const signatures: readonly (readonly [signature: string, found: string, remedy: string])[] = [
  ['FUGG', 'a GGUF file with its bytes swapped (big-endian)',
    'Take the file for little-endian machines, or convert it: gguf_convert_endian.py of llama.cpp.'],
  ['lmgg', 'a GGML file, an ancestor of GGUF (whisper.cpp still writes it)', ancestor],
  ['fmgg', 'a GGMF file, an ancestor of GGUF', ancestor],
  ['tjgg', 'a GGJT file, an ancestor of GGUF', ancestor],
  ['algg', 'a LoRA adapter in an old format (GGLA)',
    'Convert the adapter again with a current llama.cpp, merge it into its model (llama-export-lora), and load that.'],
  ['nsgg', 'a saved session of llama.cpp', 'Load the model itself; a session of llama.cpp cannot be gone on with here.'],
  ['qsgg', 'a saved sequence of llama.cpp', 'Load the model itself; a session of llama.cpp cannot be gone on with here.'],
  ['CLADAKV\0', 'a saved conversation of clada', 'Load its model, then restore the conversation: model.restore(bytes), or --load-session.'],
  ['PK\x03\x04', 'a zip archive (as PyTorch checkpoints are)', convert],
  ['\x80\x02', 'a pickle of Python (as old PyTorch checkpoints are)', convert],
  ['\x80\x03', 'a pickle of Python (as old PyTorch checkpoints are)', convert],
  ['\x80\x04', 'a pickle of Python (as old PyTorch checkpoints are)', convert],
  ['\x80\x05', 'a pickle of Python (as old PyTorch checkpoints are)', convert],
  ['\x89HDF', 'an HDF5 file', convert],
  ['\x93NUMPY', 'an array of NumPy', convert],
  ['\x1f\x8b', 'a gzip archive', unpack],
  ['\x28\xb5\x2f\xfd', 'a zstd archive', unpack],
  ['\xfd7zXZ', 'an xz archive', unpack],
  ['7z\xbc\xaf', 'a 7z archive', unpack],
  ['BZh', 'a bzip2 archive', unpack],
];

/** The first words of a text for a message: one line, at most 80 characters. */
function firstWords(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return JSON.stringify(line.length > 80 ? `${line.slice(0, 79)}…` : line);
}

/** The text of bytes, undefined where they are none. A character that is cut at the end does not count. */
function textOf(bytes: Uint8Array): string | undefined {
  let text: string;
  try { text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true }); } catch { return undefined; }
  return /[^\P{Cc}\s]/u.test(text) || text.trim() === '' ? undefined : text;
}

function describeText(text: string): Foreign {
  const pointer = /^version https:\/\/git-lfs\S*/.test(text), size = /^size (\d+)$/m.exec(text)?.[1];
  if (pointer) {
    return {
      found: `a Git LFS pointer${size === undefined ? '' : ` to ${size} bytes`}, not the model itself`,
      remedy: 'The repository was cloned without its large files: '
        + 'run "git lfs pull" in it, or fetch the file by its own address (clada pull).',
    };
  }
  if (/^\s*</.test(text)) {
    const title = /<title[^>]*>([^<]*)/i.exec(text)?.[1]?.trim() || text.replace(/<[^>]*>/g, ' ').trim() || text;
    return {
      found: `a web page or XML: ${firstWords(title)}`,
      remedy: 'A server answered with a page in place of the file: '
        + 'take the address of the download itself, and check that you may have it (sign in, accept terms).',
    };
  }
  if (/^\s*[[{]/.test(text)) {
    return {
      found: `JSON: ${firstWords(text)}`,
      remedy: /"(error|message|detail)"/.test(text)
        ? 'A server answered with an error in place of the file: read it, and check the address and your access.'
        : 'It describes a model or is about one; name the .gguf file itself.',
    };
  }
  return {
    found: `a text: ${firstWords(text)}`,
    remedy: 'It is no model; if a server sent it in place of one, check the address and your access.',
  };
}

/** Of the first bytes of a file ({@link SNIFF_BYTES}) that are not those of a GGUF file. */
export function foreign(head: Uint8Array): Foreign {
  const latin = String.fromCharCode(...head), known = signatures.find(([signature]) => latin.startsWith(signature));
  if (known) return { found: known[1], remedy: known[2] };
  if (latin.slice(257, 262) === 'ustar') return { found: 'a tar archive', remedy: unpack };
  if (head.length > 8 && latin[8] === '{' && new DataView(head.buffer, head.byteOffset).getBigUint64(0, true) < 2n ** 30n) {
    return { found: 'a safetensors file', remedy: convert };
  }
  const text = textOf(head);
  if (text !== undefined) return describeText(text);
  if (head.every((byte) => byte === 0)) {
    return { found: 'nothing but zeros at its beginning', remedy: 'Room was made for the file, and it never arrived: fetch it again.' };
  }
  return {
    found: `other bytes: ${[...head.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`,
    remedy: 'It is no GGUF model, or damaged at its beginning: check that it is the file you mean, and compare its checksum.',
  };
}
