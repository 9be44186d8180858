import { suite } from 'uvu'; import * as assert from 'uvu/assert'; const test = suite('a');
test('x', () => {}); test.run(); setTimeout(() => process.exit(3), 300);