/* iam.js is `dist/commonjs/mini-program/index.js` of the package nestjs-wechat-iam, copied here. */
const { MiniProgramClient } = require('./iam');
const config = require('./config');

App({
  iam: new MiniProgramClient({ ...config, keepTokensIn: 'storage' }),
});
