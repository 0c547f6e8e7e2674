// An HTTPS server that answers 204, signed with wechatpay-axios-plugin's own functions. Clients can verify its answers.
// Prints its origin. With `forge`, it signs a different nonce from the one that it sends.
//   node platform.js TLS_KEY TLS_CERTIFICATE SIGNING_KEY ID [forge]
const { readFileSync } = require('fs');
const { createServer } = require('https');
const { Formatter, Rsa } = require('wechatpay-axios-plugin');

const [tlsKey, tlsCertificate, signingKey, id, forge] = process.argv.slice(2);
const key = Rsa.from(readFileSync(signingKey), Rsa.KEY_TYPE_PRIVATE);

const server = createServer({ key: readFileSync(tlsKey), cert: readFileSync(tlsCertificate) }, (request, response) => {
  const timestamp = Formatter.timestamp().toString();
  const nonce = Formatter.nonce();
  request.resume().on('end', () => response.writeHead(204, {
    'Wechatpay-Timestamp': timestamp,
    'Wechatpay-Nonce': nonce,
    'Wechatpay-Serial': id,
    'Wechatpay-Signature': Rsa.sign(Formatter.response(timestamp, forge ? Formatter.nonce() : nonce, ''), key),
  }).end());
});
server.listen(0, '127.0.0.1', () => console.log(`https://127.0.0.1:${server.address().port}`));
