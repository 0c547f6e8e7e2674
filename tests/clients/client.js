// wechatpay-axios-plugin, configured by environment variables. WECHATPAY_CERTS: the platform's keys as id=file,
// separated by commas.
const { X509Certificate } = require('crypto');
const { readFileSync } = require('fs');
const { Agent } = require('https');
const { Wechatpay } = require('wechatpay-axios-plugin');

const env = process.env;
const pairs = env.WECHATPAY_CERTS.split(',').map((pair) => pair.split('='));

module.exports = (further = {}) => new Wechatpay({
  mchid: '1900000001',
  serial: new X509Certificate(readFileSync(env.WECHATPAY_CERT_FILE)).serialNumber,
  privateKey: readFileSync(env.WECHATPAY_KEY_FILE),
  certs: Object.fromEntries(pairs.map(([id, file]) => [id, readFileSync(file)])),
  baseURL: env.WECHATPAY_ORIGIN,
  httpsAgent: new Agent({ ca: readFileSync(env.WECHATPAY_CA_FILE) }),
  proxy: false,
  maxRedirects: 0,
  ...further,
});
