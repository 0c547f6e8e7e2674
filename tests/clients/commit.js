// Commits an order several times, one after the other, and prints each result: the status and the key that signed the
// answer, or the plugin's error.
//   node commit.js [TIMES [Wechatpay-Serial]]
const [times = 1, announced] = process.argv.slice(2);
const wxpay = require('./client')(announced ? { headers: { 'Wechatpay-Serial': announced } } : {});

const commit = () => wxpay.chain('v3/marketing/membercard-open/cards/{card_id}/codes/{code}/bonus/commit').post({
  out_trade_no: '订单-1', mchid: '1230000109', sub_mchid: '1900000109', bonus_value: 30,
}, { card_id: '478515832665', code: encodeURIComponent('会员 1') })
  .then(({ status, headers }) => console.log(status, headers['wechatpay-serial']))
  .catch(({ response, code }) => console.log(response ? response.status : 'no answer', code));

(async () => {
  for (let i = 0; i < times; i += 1) await commit();
})();
