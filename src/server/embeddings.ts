/** POST /v1/embeddings */
import type { Context } from './context.ts';
import type { Job } from './job.ts';
import { refusal, type Problem } from './problem.ts';

export async function embeddings(_raw: unknown, _job: Job, _context: Context): Promise<Response> {
  throw notYet();
}

const notYet = (): Problem => refusal(501, 'Embeddings cannot be asked for here.', { code: 'not_implemented' });
