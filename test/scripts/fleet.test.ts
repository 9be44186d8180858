/** The simulated fleet against what queueing theory knows exactly. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { capacity, quantile, simulate, speedsOf } from '../../scripts/fleet.ts';

const test = suite('fleet');
const mean = (values: Float64Array): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Mean wait of M/M/c (Erlang's C formula), at so many requests a second and so many answered by each place. */
function erlangWait(places: number, rate: number, each: number): number {
  const offered = rate / each;
  let blocked = 1;
  for (let k = 1; k <= places; k++) blocked = offered * blocked / (k + offered * blocked);
  const waits = blocked / (1 - offered / places * (1 - blocked));
  return waits / (places * each - rate);
}

test('places that do not slow each other down are M/M/c', () => {
  for (const [replicas, places, load] of [[1, 1, 0.7], [1, 4, 0.8], [3, 2, 0.8]] as const) {
    const each = 10 / 50, rate = load * replicas * places * each;
    const fleet = { generated: Array.from({ length: places }, (_, i) => 10 * (i + 1)), prompt: 1e12, replicas, promptTokens: 1, answerTokens: 50 };
    assert.ok(Math.abs(capacity(fleet) - rate / load) < 1e-6);
    const { waits, latencies, busy, answered } = simulate({ ...fleet, rate, requests: 200_000 }), wait = erlangWait(replicas * places, rate, each);
    assert.ok(Math.abs(mean(waits) / wait - 1) < 0.06, `waits ${mean(waits)}, theory ${wait}`);
    assert.ok(Math.abs(mean(latencies) / (wait + 1 / each) - 1) < 0.04, `${mean(latencies)}, theory ${wait + 1 / each}`);
    assert.ok(Math.abs(busy - load) < 0.02, `${busy}`);
    assert.ok(Math.abs(answered / (50 * rate) - 1) < 0.02, `${answered}`);
  }
});

test('places that share one speed are M/M/1 in all but who waits', () => {
  const rate = 0.14, each = 0.2; // of a queue of one, mean time 1 / (each - rate), whoever is served
  const { latencies } = simulate({ generated: [10, 10, 10, 10], prompt: 1e12, replicas: 1, rate, promptTokens: 1, answerTokens: 50, requests: 200_000 });
  assert.ok(Math.abs(mean(latencies) * (each - rate) - 1) < 0.06, `${mean(latencies)}`);
});

test('speeds between measured ones lie on a line, quantiles in the sorted list', () => {
  assert.equal(speedsOf([{ pl: 4, speed_pp: 90, speed_tg: 80 }, { pl: 1, speed_pp: 100, speed_tg: 30 }, { pl: 2, speed_pp: 95, speed_tg: 50 }]), {
    generated: [30, 50, 65, 80], prompt: 100,
  });
  const sorted = Float64Array.from({ length: 100 }, (_, i) => i);
  assert.equal([quantile(sorted, 0.5), quantile(sorted, 0.95), quantile(sorted, 1)], [50, 95, 99]);
});

test.run();
