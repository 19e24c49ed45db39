import { Socket } from 'node:net';

/**
 * Leads every connection to WeChat's hosts to the emulator, below whatever HTTP library a client uses. Names, certificates
 * and the clients themselves stay as they are.
 */
const [host, port] = process.env.EMULATOR.split(':');
const connect = Socket.prototype.connect;

Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (typeof options === 'object' && /\.weixin\.qq\.com$/.test(options.host ?? '')) {
    options.host = host;
    options.port = Number(port);
  }
  return Reflect.apply(connect, this, args);
};
