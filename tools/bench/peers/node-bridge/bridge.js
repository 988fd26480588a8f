// The peer that a team would write first: one JSON request a line over TCP in, a pool of MQTT
// connections out, a reply when the broker has acknowledged. Replies keep the order of a client's
// requests, messages of one device keep their connection, and what a connection may have
// unacknowledged is limited as in sluice. Nothing else of what sluice does is done here.
// Usage: node bridge.js LISTEN_PORT BROKER_PORT [CONNECTIONS] [WINDOW]
'use strict';

const net = require('net');
const mqtt = require('mqtt');

const [port, brokerPort, connections = 20, window = 64] = process.argv.slice(2).map(Number);
const MAX_WAITING = 10000; // requests without a connection, above which clients are not read from
const SUCCESS = '{"code":1,"msg":"ok"}\n';

function failure(error, detail) {
  return JSON.stringify({ code: 2, msg: 'failed', error, detail }) + '\n';
}

// One MQTT connection: publishes up to its window, keeps the rest in line.
class Link {
  constructor(index) {
    this.outstanding = 0;
    this.line = [];
    this.client = mqtt.connect({
      host: '127.0.0.1',
      port: brokerPort,
      protocol: 'mqtt',
      protocolVersion: 5,
      clientId: `bench-node-${index}`,
      clean: true,
    });
    this.client.on('error', (error) => console.error(`link ${index}: ${error.message}`));
  }

  submit(request) {
    if (this.outstanding < window) return this.publish(request);
    this.line.push(request);
    waiting += 1;
    if (waiting >= MAX_WAITING) for (const client of clients) client.pause();
  }

  publish(request) {
    this.outstanding += 1;
    this.client.publish(request.topic, request.payload, { qos: request.qos }, (error) => {
      this.outstanding -= 1;
      request.done(error ? failure('rejected', error.message) : SUCCESS);
      if (this.line.length > 0 && this.outstanding < window) {
        waiting -= 1;
        this.publish(this.line.shift());
        if (waiting < MAX_WAITING / 2) for (const client of clients) client.resume();
      }
    });
  }
}

// One TCP client: cuts its bytes into lines, gives replies in the order of the requests.
class Client {
  constructor(socket) {
    this.socket = socket;
    this.rest = '';
    this.replies = [];
    this.paused = false;
    socket.setNoDelay(true);
    socket.setEncoding('utf8');
    socket.on('data', (text) => this.read(text));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => clients.delete(this));
    clients.add(this);
  }

  pause() {
    if (!this.paused) this.socket.pause();
    this.paused = true;
  }

  resume() {
    if (this.paused) this.socket.resume();
    this.paused = false;
  }

  read(text) {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop();
    for (const line of lines) this.take(line);
  }

  take(line) {
    const place = { reply: null };
    this.replies.push(place);
    const done = (reply) => {
      place.reply = reply;
      this.answer();
    };
    let json;
    try {
      json = JSON.parse(line);
    } catch (error) {
      return done(failure('bad_request', error.message));
    }
    links[json.device_id % links.length].submit({
      topic: json.mqtt_topic,
      payload: json.message,
      qos: json.qos,
      done,
    });
  }

  answer() {
    let text = '';
    while (this.replies.length > 0 && this.replies[0].reply !== null) text += this.replies.shift().reply;
    if (text !== '') this.socket.write(text);
  }
}

const clients = new Set();
let waiting = 0;
const links = Array.from({ length: connections }, (_, index) => new Link(index));

let up = 0;
for (const link of links) {
  link.client.once('connect', () => {
    up += 1;
    if (up < links.length) return;
    net.createServer((socket) => new Client(socket)).listen({ port, host: '127.0.0.1', backlog: 1024 });
  });
}
process.on('SIGTERM', () => process.exit(0));
