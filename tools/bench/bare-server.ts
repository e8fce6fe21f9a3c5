/** The limit that the verifier is measured against: a node:http server that answers 200 with the same headers, and does nothing else. */
import { createServer } from 'node:http';

const headers: Record<string, string> = JSON.parse(process.env.BARE_HEADERS ?? '{}');
const server = createServer({ keepAliveTimeout: 75_000 }, (_request, response) => {
  response.writeHead(200, headers);
  response.end();
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' ? address?.port : undefined);
});
