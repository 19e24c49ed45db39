/* Of your server: `server` is a request domain of the program (request 合法域名), `clientId` one of its `clients`. */
module.exports = {
  server: 'https://app.example.com/iam',
  clientId: 'mini',
  provider: 'wechat',
};
