// A dashboard widget: the best score of a tuner and the curves of its runs, live, in any element of a page.
//
//     make sdk && cd examples/widget && sh build.sh      builds widget.js, which index.html shows
//
// It reads what there is, and then follows the event stream from exactly there: nothing is missed, nothing polled.
import { getTuner, listEvents, streamEvents, type Event } from 'tunetrack-api';
import { createClient } from 'tunetrack-api/client';

export interface View {
  best: number | string | null;
  curves: Map<string, [epoch: number, value: number][]>;
}

/** Calls `draw` with the view as it is, and at each change; ends when `signal` says so. */
export async function watch(url: string, tunerId: string, draw: (view: View) => void, signal: AbortSignal): Promise<void> {
  const client = createClient({ baseUrl: url });
  const { data: tuner, error } = await getTuner({ client, path: { tuner_id: tunerId } });
  if (!tuner) throw new Error(error?.detail);
  const metric = tuner.objectives[0]?.metric ?? 'score';
  const view: View = { best: null, curves: new Map() };
  const better = (score: number) =>
    typeof view.best !== 'number' || (tuner.objectives[0]?.direction === 'minimize' ? score < view.best : score > view.best);

  const take = (event: Event) => {
    if (event.type === 'epoch_end') {
      const value = event.metrics[metric];
      if (typeof value === 'number') {
        const curve = view.curves.get(event.run_id) ?? [];
        view.curves.set(event.run_id, [...curve, [event.epoch, value]]);
      }
    } else if (event.type === 'trial_end' && typeof event.score === 'number' && better(event.score)) {
      view.best = event.score;
    }
  };

  let after = 0;
  for (;;) {
    const { data: page } = await listEvents({ client, query: { tuner_id: [tunerId], after, limit: 1000 } });
    if (!page?.items.length) break;
    page.items.forEach(take);
    after = page.last_event_id;
  }
  draw(view);
  const { stream } = await streamEvents({ client, query: { tuner_id: [tunerId], after }, signal });
  for await (const event of stream) {
    take(event);
    draw(view);
  }
}

/** The view as SVG: a line a run, the newest brightest. */
export function svg(view: View, width = 320, height = 120): string {
  const points = [...view.curves.values()].flat();
  const [xs, ys] = [points.map(([epoch]) => epoch), points.map(([, value]) => value)];
  const scale = (value: number, all: number[], size: number) =>
    ((value - Math.min(...all)) / (Math.max(...all) - Math.min(...all) || 1)) * size;
  const lines = [...view.curves.values()].map((curve, number, { length }) => {
    const path = curve.map(([epoch, value]) => `${scale(epoch, xs, width).toFixed(1)},${(height - scale(value, ys, height)).toFixed(1)}`);
    return `<polyline points="${path.join(' ')}" fill="none" stroke="currentColor" opacity="${(0.2 + (0.8 * (number + 1)) / length).toFixed(2)}"/>`;
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="best ${view.best ?? 'none yet'}">${lines.join('')}</svg>`;
}
