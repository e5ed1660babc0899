// What a program does with the generated TypeScript client; type-checked, and run against a live service by test_sdk.py.
import {
  createTuner, endRun, getRun, getTuner, listEvents, logEpoch, startRun, streamEvents, suggest,
  type Event, type Problem, type TunerRequest,
} from 'tunetrack-api';
import { createClient } from 'tunetrack-api/client';

declare const process: { argv: string[]; exit(status: number): never };

function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new Error(`no ${what}`);
  return value;
}
function equal<T>(found: T, expected: T): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error(`${JSON.stringify(found)} is not ${JSON.stringify(expected)}`);
}

const client = createClient({ baseUrl: must(process.argv[2], 'URL'), auth: must(process.argv[3], 'key') });

const body: TunerRequest = {
  space: { x: { type: 'float_range', min: 0, max: 1 } },
  objective: { metric: 'gain' },
  budget: { max_trials: 1 },
  stopper: { type: 'threshold', min: 0.5 },
};
const tuner = must((await createTuner({ client, body })).data, 'tuner');
const path = { tuner_id: tuner.tuner_id };
const spec = must(tuner.space['x'], 'spec');
if (spec.type !== 'float_range') throw new Error(spec.type); // narrowed by its discriminator
equal(spec.max, 1);

const suggestion = must((await suggest({ client, path, body: { worker: 'w' } })).data, 'suggestion');
const trial = must(suggestion.trials[0], 'trial');
const run = must((await startRun({ client, body: { trial_id: trial.trial_id, attempt: trial.attempt } })).data, 'run');
equal(run.params, trial.params);
const ofRun = { run_id: run.run_id };

for (const [epoch, gain] of [0.9, 0.1].entries()) {
  const answer = must((await logEpoch({ client, path: ofRun, body: { epoch, metrics: { gain, loss: 'NaN' } } })).data, 'answer');
  equal(answer.should_stop, epoch === 1);
  if (epoch === 1) equal(must(answer.stop, 'reason').rule, 'threshold');
}
const ended = must((await endRun({ client, path: ofRun, body: { status: 'stopped' } })).data, 'end');
equal(ended.status, 'stopped');
equal(ended.metrics['loss'], 'NaN');

const refused: Problem = must((await logEpoch({ client, path: ofRun, body: { epoch: 7, metrics: { gain: 1 } } })).error, 'refusal');
equal([refused.status, refused.code], [409, 'run-ended']);
const missing: Problem = must((await getRun({ client, path: { run_id: '019ab1c2-5f77-7c88-8d99-e0f1a2b3c4d5' } })).error, 'refusal');
equal(missing.code, 'unknown-run');
const wrong: Problem = must((await suggest({ client, path, body: { count: 0 } })).error, 'refusal');
equal(must(wrong.errors, 'places').some(({ loc }) => loc.includes('count')), true);
equal(must((await getTuner({ client, path })).data, 'tuner').state, 'completed');

async function follow(after: number, enough: (event: Event) => boolean): Promise<Event[]> {
  const found: Event[] = [];
  const { stream } = await streamEvents({ client, query: { after, tuner_id: [tuner.tuner_id] } });
  for await (const event of stream) {
    found.push(event);
    if (enough(event)) break;
  }
  return found;
}
const before = await follow(0, (event) => event.type === 'epoch_end'); // cut after the first, and resumed after it
const last = must(before.at(-1), 'event');
if (last.type !== 'epoch_end') throw new Error(last.type);
equal(last.epoch, 0); // narrowed by its discriminator
const after = await follow(last.event_id, (event) => event.type === 'training_end');
const all = must((await listEvents({ client, query: { tuner_id: [tuner.tuner_id] } })).data, 'page').items;
equal([...before, ...after], all.filter(({ event_id }) => event_id <= must(after.at(-1), 'event').event_id));
console.log('all is well');
process.exit(0);
