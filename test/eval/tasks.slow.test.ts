/** Five items of each of the nine tasks on real data, dense. */
import { existsSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readItems, taskNames } from '../../src/eval/items.ts';
import { memoryLog, type TaskRecord } from '../../src/eval/records.ts';
import { DenseSubject } from '../../src/eval/subject.ts';
import { runTasks, summariseTasks } from '../../src/eval/tasks.ts';
import { load } from '../../src/index.ts';
import { embeddedModel, shared } from '../helpers/models.ts';

const test = suite('tasks on real data');
const data = `${shared}eval/`;

if (!existsSync(data)) test.skip('five items of each task (needs ../shared)', () => undefined);
else test('five items of each task', async () => {
  await using model = await load(embeddedModel);
  const log = memoryLog();
  const tasks = Object.fromEntries(taskNames.map((task) => [task, readItems(task, readFileSync(`${data}${task}.jsonl`, 'utf8'), 5)]));
  await runTasks([new DenseSubject(model)], model.tokenizer, { tasks, contextSize: model.info.contextSize, log });
  const records = log.records as TaskRecord[], summaries = summariseTasks(records);
  assert.is(summaries.length, 9);
  for (const { acc, task } of summaries) assert.ok(acc.n === 5, task);
  console.log(summaries.map(({ task, quoted }) => `${task} ${quoted.mean}`).join(', '));
  assert.ok(records.every(({ logprobs }) => logprobs.every((logprob) => logprob !== null && logprob < 0)));
  assert.ok(summaries.reduce((sum, { quoted }) => sum + quoted.mean, 0) / 9 > 0.3, 'the embedded model is at 0.47 over 254 items');
});

test.run();
