/** The same call, made with the next frame and at most every `ms`: drawing must not take the machine from the model that it shows. */
export function paced(run: () => void, ms = 100): () => void {
  let last = -Infinity, waits = false;
  const paint = (): void => {
    waits = false;
    last = performance.now();
    run();
  };
  return () => {
    if (waits) return;
    waits = true;
    setTimeout(() => { requestAnimationFrame(paint); }, Math.max(0, last + ms - performance.now()));
  };
}
