// What the widget shows of a tuner that has ended: its best score, its curves, their points.
import { svg, watch } from './widget.js';

declare const process: { argv: string[]; exit(status: number): never };

const show = (view: Parameters<typeof svg>[0]): void => {
  if (!svg(view).includes('<polyline')) throw new Error('nothing is drawn');
  console.log(view.best, view.curves.size, [...view.curves.values()].flat().length);
  process.exit(0);
};
await watch(process.argv[2] ?? '', process.argv[3] ?? '', show, new AbortController().signal);
