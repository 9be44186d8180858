/**
 * The command line as data: every command with its flags, from which parsing, types, messages and help all follow. A flag's key is the name
 * of the property it fills.
 */
import { generationNames } from '../eval/generation.ts';
import { taskNames } from '../eval/items.ts';
import { seedRange } from '../sampler/options.ts';
import { batch } from './batch-flags.ts';
import {
  chatTemplate, contextSize, count, countOrNone, file, generating, json, loading, loopGuard, model, prompt, requestDefaults, serving,
  session, skipping, stats, system, threads, verify, type Flag,
} from './flags.ts';

export interface Command {
  readonly summary: string;
  readonly flags: Readonly<Record<string, Flag>>;
  /** The flag that one bare argument fills, or those that several fill, in their order. */
  readonly positional?: string | readonly string[];
  /** Pairs of flags that contradict each other. */
  readonly conflicts?: readonly (readonly [string, string])[];
  /** Paragraphs below the flags. */
  readonly notes?: readonly string[];
}

/** Flags of which each says how far to go. */
const oneTarget = ['density', 'maxKl', 'minTop1', 'threshold'].flatMap((a, i, all) => all.slice(i + 1).map((b) => [a, b] as const));

/** What a line of a chat may be besides a message. */
export const slashCommands = {
  '/help': 'this list',
  '/regen': 'answer the last message anew',
  '/reset': 'forget the conversation (also /clear)',
  '/save FILE': 'keep the conversation, for --load-session',
  '/quit': 'end the chat (also /exit, Ctrl-D)',
} as const;

const embeddedNote = 'Without -m, chats have a system message for short answers in English, --temp 0.1 and --repeat-penalty 1.05, '
  + 'unless flags say otherwise: the embedded model is small.';

/** Repetitions after which a chat's answer is stopped. */
export const chatLoopGuard = 4;

export const commands = {
  run: {
    summary: 'Continue a prompt, or answer it with --chat.',
    flags: {
      model, prompt, file,
      chat: { kind: 'switch', name: 'chat', help: "put the prompt into the model's chat template" },
      raw: { kind: 'switch', name: 'raw', help: 'the prompt as it is, without a chat template' },
      system: { ...system, help: `${system.help}; implies --chat` },
      chatTemplate: { ...chatTemplate, help: `${chatTemplate.help}; implies --chat` },
      parseSpecial: { kind: 'switch', name: 'parse-special', help: 'read control tokens in the prompt as such' },
      ...generating, loopGuard: { ...loopGuard, default: 0 }, ...skipping,
      compare: {
        kind: 'switch', name: 'compare',
        help: 'answer dense, then show what --sparsity changes on this machine', default: '--sparsity auto',
      },
      ...session, contextSize, ...loading, threads, json, stats,
    },
    conflicts: [
      ['compare', 'json'], ['compare', 'telemetry'], ['compare', 'loadSession'], ['compare', 'saveSession'],
      ['chat', 'raw'], ['parseSpecial', 'chat'], ['parseSpecial', 'system'], ['chatTemplate', 'raw'], ['system', 'raw'],
      ['loadSession', 'chat'], ['loadSession', 'raw'], ['loadSession', 'system'],
      ...oneTarget,
    ],
    notes: [
      'The prompt is -p, -f FILE or standard input. A pipe or file on standard input joins -p, behind a blank line (as in llama-run): '
        + 'clada run --chat -p "Summarise:" < text.txt. One newline at the end of a file or pipe is taken off (as llama.cpp does).',
      embeddedNote,
      'Ctrl-C ends with what was said so far, --json and --save-session included; a second one does not wait.',
    ],
  },
  chat: {
    summary: 'Talk with the model in the terminal.',
    flags: {
      model, system, chatTemplate, ...generating, loopGuard: { ...loopGuard, default: chatLoopGuard }, ...skipping,
      ...session, contextSize, ...loading, threads, json, stats,
    },
    conflicts: [['loadSession', 'system'], ...oneTarget],
    notes: [
      embeddedNote, 'Every line is a message, unless it is a command:',
      ...Object.entries(slashCommands).map(([name, help]) => `  ${name.padEnd(12)} ${help}`),
    ],
  },
  serve: {
    summary: "Answer over HTTP: OpenAI's protocol, llama-server's routes, a chat page.",
    flags: { model, ...serving, chatTemplate, ...requestDefaults, contextSize, ...loading, threads },
    conflicts: [['apiKey', 'withoutKey'], ['apiKeyFile', 'withoutKey'], ...oneTarget],
    notes: [
      'Sampling flags hold for requests that say nothing. Without -m, they are --temp 0.1 and --repeat-penalty 1.05, unless flags say '
        + 'otherwise: the embedded model is small.',
      'SIGTERM and Ctrl-C stop listening and let answers end, for 30 seconds at most; a second one does not wait.',
    ],
  },
  inspect: {
    summary: 'Show what a model file holds and how it would be loaded.',
    flags: { model, verify, json },
    positional: 'model',
  },
  split: {
    summary: 'Cut a model into parts for hosts that limit the size of a file.',
    flags: {
      model,
      maxSize: {
        kind: 'text', name: 'split-max-size', value: 'N(M|G)',
        help: 'most bytes of a part, millions or thousands of millions', default: '25M',
      },
      by: {
        kind: 'choice', name: 'by', choices: ['tensors', 'bytes'],
        help: "tensors: models NAME-00001-of-0000N.gguf as llama.cpp's; bytes: pieces NAME.gguf.00001-of-0000N, "
          + 'to be joined by who reads them',
        default: 'tensors',
      },
      out: { kind: 'text', name: 'out', value: 'DIR', help: 'where to write', default: 'beside the model' },
      verify, json,
    },
    positional: 'model',
  },
  tokenize: {
    summary: 'Show the tokens of a text.',
    flags: {
      model, prompt, file,
      parseSpecial: { kind: 'switch', name: 'parse-special', help: 'read control tokens in the text as such' },
      verify, json,
    },
    positional: 'prompt',
    conflicts: [['prompt', 'file']],
  },
  embed: {
    summary: 'Give the vectors that stand for texts, with llama-embedding\'s flags and formats.',
    flags: {
      model, prompt: { ...prompt, help: 'the texts, one a line' }, file,
      pooling: {
        kind: 'choice', name: 'pooling', choices: ['none', 'mean', 'cls', 'last'], help: 'what stands for a text; none = every token',
        default: "the model's, else last",
      },
      normalize: {
        kind: 'number', name: 'embd-normalize', value: 'N', range: { min: -1, integer: true },
        help: '-1 = none, 0 = largest value to 32760, 1 = taxicab, 2 = euclidean, more = p-norm', default: 2,
      },
      dimensions: {
        kind: 'number', name: 'dimensions', value: 'N', range: count,
        help: 'leading dimensions to keep, of models trained so', default: 'all',
      },
      outputFormat: {
        kind: 'choice', name: 'embd-output-format', choices: ['array', 'json', 'json+', 'raw'],
        help: "raw = a line each; json as OpenAI's, json+ with similarities", default: 'for people',
      },
      separator: { kind: 'text', name: 'embd-separator', value: 'TEXT', help: 'what stands between two texts', default: 'a line feed' },
      contextSize, kv: loading.kv, tier: loading.tier, verify, threads, json,
    },
    positional: 'prompt',
    conflicts: [['prompt', 'file'], ['json', 'outputFormat']],
    notes: ['--json prints all digits, and the tokens. Control tokens in the texts are read as such, BOS and EOS added as the file says.'],
  },
  eval: {
    summary: 'Measure quality: mean NLL of a text, tasks, sparse methods against dense.',
    flags: {
      model,
      prompt: {
        kind: 'text', name: 'prompt', short: 'p', value: 'TEXT',
        help: 'the text; with --documents: tokens of each that run dense (default 64)',
      },
      file,
      tasks: {
        kind: 'list', name: 'tasks', value: 'LIST', choices: [...taskNames, ...generationNames], all: taskNames,
        help: `${[...taskNames, ...generationNames].join(', ')}; all = those without generated answers`,
      },
      data: { kind: 'text', name: 'data', value: 'DIR', help: 'folder of the tasks: TASK.jsonl each' },
      protocol: {
        kind: 'choice', name: 'protocol', choices: ['generation', 'strict'],
        help: 'tasks: context dense and answer sparse, or all but 16 tokens sparse', default: 'generation',
      },
      documents: { kind: 'text', name: 'documents', value: 'FILE', help: 'KL to dense over [{ kind, id, ids }, …] (JSON)' },
      methods: {
        kind: 'list', name: 'methods', value: 'LIST',
        help: 'name or name:density, with commas between; dense always runs', default: 'dense',
      },
      limit: { kind: 'number', name: 'limit', value: 'N', range: count, help: 'items of each task, or documents, from the first' },
      out: { kind: 'text', name: 'out', value: 'FILE', help: 'results as JSON lines; a run that was cut goes on from them' },
      contextSize, ...loading, threads, json,
    },
    conflicts: [['prompt', 'file'], ['file', 'tasks'], ['file', 'documents']],
  },
  bench: {
    summary: "Measure speed, with llama-bench's tests, columns and conventions.",
    flags: {
      model: { ...model, kind: 'texts' },
      nPrompt: {
        kind: 'numbers', name: 'n-prompt', short: 'p', value: 'N,…', range: countOrNone,
        help: 'prompt lengths; 0 = none', default: 512,
      },
      nGen: {
        kind: 'numbers', name: 'n-gen', short: 'n', value: 'N,…', range: countOrNone,
        help: 'generated lengths; 0 = none', default: 128,
      },
      nPromptGen: {
        kind: 'numbers', name: 'pg', two: true, value: 'PP,TG', range: count,
        help: 'a prompt and what is generated behind it, timed together; may be repeated',
      },
      nDepth: {
        kind: 'numbers', name: 'n-depth', short: 'd', value: 'N,…', range: countOrNone,
        help: 'tokens in the context beforehand', default: 0,
      },
      parallel: {
        kind: 'numbers', name: 'pl', two: true, value: 'N,…', range: count,
        help: "sequences that run at the same time: llama-batched-bench's table instead, for each -p and -n",
      },
      repetitions: {
        kind: 'number', name: 'repetitions', short: 'r', value: 'N', range: count,
        help: 'measured runs of each test', default: '5; 1 with -pl',
      },
      ...loading,
      threads: { ...threads, kind: 'numbers', value: 'N,…', help: 'thread counts, each with the model loaded anew' },
      output: { kind: 'choice', name: 'output', short: 'o', choices: ['md', 'json', 'jsonl', 'csv'], help: 'output format', default: 'md' },
      json,
    },
    conflicts: [['json', 'output'], ['parallel', 'nDepth'], ['parallel', 'nPromptGen']],
    notes: [
      'Several values stand with commas between, or the flag is repeated; ranges are FIRST-LAST, FIRST-LAST+STEP or FIRST-LAST*FACTOR.',
    ],
  },
  calibrate: {
    summary: 'Measure once what a model can skip, and write NAME.clada.gguf beside it.',
    flags: {
      model,
      out: { kind: 'text', name: 'out', value: 'FILE', help: 'where to write', default: 'NAME.clada.gguf beside the model' },
      file: { kind: 'text', name: 'file', short: 'f', value: 'FILE', help: "a text to calibrate on", default: "the model's own samples" },
      count: { kind: 'number', name: 'count', value: 'N', range: count, help: 'documents to measure on', default: 13 },
      tokens: {
        kind: 'number', name: 'tokens', value: 'N', range: { min: 32, max: 512, integer: true },
        help: 'tokens of each', default: 320,
      },
      heldOut: {
        kind: 'number', name: 'held-out', value: 'N', range: { min: 2, integer: true },
        help: 'documents that the tables are measured on', default: 12,
      },
      gradients: {
        kind: 'choice', name: 'gradients', choices: ['fisher', 'perturbation'],
        help: 'by a backward pass, or by forward passes alone', default: 'fisher',
      },
      seed: { kind: 'number', name: 'seed', short: 's', value: 'N', range: seedRange, help: 'of the samples and labels', default: 1 },
      tier: loading.tier, threads, verify, json,
    },
  },
  batch,
  pull: {
    summary: 'Fetch a model into the cache, verify it, and print where it is.',
    flags: {
      model: {
        kind: 'text', name: 'model', short: 'm', value: 'ADDRESS',
        help: 'URL, hf:owner/repo/file[@revision] or a name (clada models); of a split model the first part',
      },
      sha256: {
        kind: 'list', name: 'sha256', value: 'HASH',
        help: 'what it must hash to; of a split model one for each part, with commas between', default: 'what the hub says',
      },
      cache: {
        kind: 'text', name: 'cache', value: 'DIR',
        help: 'folder to keep it in', default: "HF_HOME's for hf:, else the user's cache folder",
      },
      connections: {
        kind: 'number', name: 'connections', value: 'N', range: { min: 1, max: 32, integer: true },
        help: 'requests at a time', default: 4,
      },
      retries: {
        kind: 'number', name: 'retries', value: 'N', range: countOrNone,
        help: 'failures in a row that are tried again', default: 5,
      },
      offline: { kind: 'switch', name: 'offline', help: 'only look into the cache' },
      verify, json,
    },
    positional: 'model',
  },
  models: {
    summary: 'List the models that -m knows by name.',
    flags: { json },
  },
  doctor: {
    summary: 'Tell what this runtime can do: SIMD tier, threads, memory.',
    flags: { json },
  },
} as const satisfies Record<string, Command>;

export type CommandName = keyof typeof commands;
export const commandNames = Object.keys(commands) as readonly CommandName[];

type FlagsOf<C extends CommandName> = (typeof commands)[C]['flags'];

type ValueOf<F> = F extends { kind: 'choice'; choices: readonly (infer Choice)[] } ? Choice
  : F extends { kind: 'number' } ? number
  : F extends { kind: 'numbers' } ? number[]
  : F extends { kind: 'texts' | 'list' } ? string[]
  : F extends { kind: 'bias' } ? Map<number, number>
  : F extends { kind: 'switch' } ? boolean
  : string;

/** What was given on the command line of `C`; absent flags are absent properties, defaults belong to the library. */
export type Values<C extends CommandName> = { -readonly [K in keyof FlagsOf<C>]?: ValueOf<FlagsOf<C>[K]> };
