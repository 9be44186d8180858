/**
 * HumanEval as models that chat are asked (the wording of EvalPlus): a whole script in a code block, which the answer begins with. What is
 * run is what stands before the function in the problem (imports, what it calls), the answer and the problem's own test.
 * Test: test/eval/generation.test.ts.
 */
export interface CodeProblem {
  readonly prompt: string;
  /** Name of the function that is asked for. */
  readonly entry: string;
  /** Python that defines `check(candidate)`. */
  readonly test: string;
}

/** Runs a program where it can do no harm. */
export type RunCode = (program: string) => Promise<{ readonly ok: boolean; readonly stdout: string }>;

const question = 'Please provide a self-contained Python script that solves the following problem in a markdown code block:';
export const askForCode = (prompt: string): string => `${question}\n\`\`\`\n${prompt.trim()}\n\`\`\``;

const opening = 'Below is a Python script with a self-contained function that solves the problem and passes corresponding tests:';
export const codeStart = `${opening}\n\`\`\`python\n`;

/** The block ends, or what follows the function begins. */
export const codeStops: readonly string[] = ['\n```', '\nif __name__', '\nprint(', '\nassert ', '\n# Test', '\n# Example'];

/** The script of an answer; a block within it, where the model opened one of its own. */
export function codeOf(answer: string): string {
  const block = /```(?:python)?\n([\s\S]*?)(?:\n```|$)/.exec(answer);
  return block ? block[1]! : answer;
}

/** The program that tells whether an answer is right: it prints `word` behind all else. */
export function programOf({ prompt, entry, test }: CodeProblem, answer: string, word: string): string {
  const at = prompt.search(new RegExp(`^def ${entry}\\b`, 'm'));
  return [prompt.slice(0, Math.max(0, at)), codeOf(answer), test, `check(${entry})`, `print("\\n" + ${JSON.stringify(word)})`].join('\n\n');
}

/** 1 where the answer passes the problem's test. A program that leaves early with code 0 has not. */
export async function passes(problem: CodeProblem, answer: string, run: RunCode): Promise<number> {
  const word = `passed-${problem.entry}`, { ok, stdout } = await run(programOf(problem, answer, word));
  return Number(ok && stdout.trimEnd().endsWith(`\n${word}`.trimStart()));
}
