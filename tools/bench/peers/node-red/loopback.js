// Loaded before Node-RED: its tcp in node would listen on every interface.
'use strict';

const net = require('net');

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (where, ...rest) {
  if (typeof where === 'object') return listen.call(this, { ...where, host: '127.0.0.1' }, ...rest);
  const callbacks = rest.filter((argument) => typeof argument === 'function');
  return listen.call(this, { port: Number(where), host: '127.0.0.1', backlog: 1024 }, ...callbacks);
};
