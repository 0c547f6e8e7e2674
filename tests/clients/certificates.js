// Downloads the platform certificate, decrypts it with the APIv3 key, and prints it. On failure, prints the answer's
// status and code.
//   node certificates.js APIV3_KEY
const { Aes: { AesGcm } } = require('wechatpay-axios-plugin');

require('./client')().v3.certificates.get().then(({ data: { data: [{ encrypt_certificate: sealed }] } }) => {
  process.stdout.write(AesGcm.decrypt(sealed.ciphertext, process.argv[2], sealed.nonce, sealed.associated_data));
}).catch(({ response }) => console.log(response.status, response.data.code));
