import { once } from 'node:events';

/** Answers of the two routes that are measured beside a sign-in. */
export const open = (_request, response) => response.json({ id: null });
export const guarded = (request, response) => response.json({ id: String(request.user.id) });

/** Starts an Express application on a free port. */
export async function serveExpress(app, pool) {
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.close();
    server.closeAllConnections();
    await pool.end();
  };
  return { port: server.address().port, close };
}
