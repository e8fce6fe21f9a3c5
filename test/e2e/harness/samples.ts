/** The sum of the samples of one metric whose labels contain these texts, in what /metrics answers. 0 where there is none. */
export function sumOf(metrics: string, name: string, ...labels: string[]): number {
  const samples = metrics
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => labels.every((label) => line.includes(label)));
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
