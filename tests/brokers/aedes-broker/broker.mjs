// aedes as it is, on one port of the loopback interface. Usage: node broker.mjs PORT
import { createServer } from 'node:net';
import { Aedes } from 'aedes';

const broker = await Aedes.createBroker();
const server = createServer(broker.handle);
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 128 });
process.on('SIGTERM', () => {
  server.close();
  broker.close(() => process.exit(0));
});
