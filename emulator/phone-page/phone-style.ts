/** The look of the phone: WeChat's greys and green, the whole screen on a real phone and a framed one on a desk. */
export const phoneStyle = `
*{box-sizing:border-box;-webkit-tap-highlight-color:transparent}
[hidden]{display:none!important}
html,body{height:100%}
body{margin:0;font:16px/1.5 system-ui,-apple-system,"PingFang SC","Hiragino Sans GB","Microsoft YaHei",sans-serif;color:#111;background:linear-gradient(160deg,#e7efe9,#dfe6ee);display:flex;align-items:center;justify-content:center}
button,input{font:inherit;color:inherit}
button{cursor:pointer;border:0;background:none;padding:0}
:focus-visible{outline:2px solid #10aeff;outline-offset:2px}
.phone{position:relative;width:390px;height:min(844px,calc(100vh - 32px));background:#ededed;border-radius:44px;border:10px solid #16181a;overflow:hidden;display:flex;flex-direction:column;box-shadow:0 24px 64px rgba(0,0,0,.28)}
@media (max-width:480px){body{background:#ededed}.phone{width:100vw;height:100dvh;border:0;border-radius:0;box-shadow:none}}
.bar{flex:none;height:52px;display:flex;align-items:center;padding:0 8px;background:#ededed;border-bottom:1px solid rgba(0,0,0,.08)}
.bar h1,.bar .title{flex:1;margin:0;font-size:17px;font-weight:600;text-align:center;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.bar button{min-width:44px;height:44px;font-size:24px;line-height:1}
.bar .more{font-size:15px}
.screen{flex:1;overflow-y:auto;overscroll-behavior:contain}
.tabs{flex:none;display:flex;background:#f7f7f7;border-top:1px solid rgba(0,0,0,.1);padding-bottom:6px}
.tabs button{flex:1;padding:7px 0;font-size:11px;color:#555}
.tabs svg{display:block;margin:0 auto 1px}
.tabs button[aria-current=page]{color:#05713a}
.list{background:#fff;margin:0 0 10px;padding:0;list-style:none}
.row{display:flex;align-items:center;gap:12px;width:100%;padding:12px 16px;text-align:left;background:#fff;border-bottom:1px solid #ececec;color:inherit;text-decoration:none}
.row:active,.row:hover{background:#f4f4f4}
.face{display:block;flex:none;width:46px;height:46px;border-radius:7px;color:#fff;font-size:20px;line-height:46px;text-align:center;background:#7bb5ec;object-fit:cover;overflow:hidden}
.face.account{background:linear-gradient(135deg,#07c160,#10aeff)}
.words{flex:1;min-width:0}
.words b{display:block;font-weight:500;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.words span{display:block;color:#666;font-size:13px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.hint{padding:28px 24px;color:#666;text-align:center;font-size:14px}
h2{font-size:13px;font-weight:400;color:#666;margin:0;padding:14px 16px 6px}
form.ask{display:flex;gap:8px;padding:12px 16px;background:#fff}
form.ask input{flex:1;min-width:0;padding:9px 12px;border:1px solid #ddd;border-radius:8px;background:#fafafa}
form.ask input:focus{outline:0;border-color:#07c160;box-shadow:0 0 0 2px rgba(7,193,96,.25)}
.go{background:#07c160;color:#fff;border-radius:8px;padding:9px 16px;font-weight:500}
.go:hover{background:#06ad56}.go:disabled{opacity:.5}
.go.wide{display:block;width:calc(100% - 64px);margin:16px 32px}
.go.quiet{background:rgba(0,0,0,.06);color:#333}
.card{background:#fff;padding:32px 24px;text-align:center;margin-bottom:10px}
.card .face{margin:0 auto 12px;width:72px;height:72px;line-height:72px;font-size:32px}
.card b{display:block;font-size:20px;font-weight:600;overflow-wrap:anywhere}.card p{margin:4px 0;color:#666;font-size:13px;overflow-wrap:anywhere;user-select:all}
.question{text-align:left}.question b{text-align:center;margin-bottom:12px}
.question dl{margin:0 0 12px}.fact{display:flex;gap:12px;padding:6px 0;border-bottom:1px solid #f0f0f0}.fact dt{flex:none;width:72px;color:#666}.fact dd{margin:0;overflow-wrap:anywhere}
.question .number{font-size:28px;font-weight:600;letter-spacing:.12em;text-align:center;color:#111}
.question label{display:block;margin:8px 0;font-size:14px}.question input:not([type=checkbox]){width:100%;padding:9px 12px;border:1px solid #ddd;border-radius:8px;font-size:20px;text-align:center}
.question .wrong{color:#c62828}
.choice{display:flex;gap:12px;margin-top:16px}.choice .go{flex:1}
.chat{padding:12px 12px 4px;display:flex;flex-direction:column;gap:12px}
.line{display:flex;gap:8px;align-items:flex-start}
.line.person{flex-direction:row-reverse}
.line .face{width:38px;height:38px;line-height:38px;font-size:17px}
.bubble{max-width:74%;padding:9px 12px;border-radius:7px;background:#fff;white-space:pre-wrap;overflow-wrap:anywhere}
.line.person .bubble{background:#95ec69}
.bubble a{color:#1565a8}
.line.wechat{justify-content:center}.line.wechat .bubble{background:none;color:#666;font-size:13px;text-align:center;max-width:90%;padding:2px}
.news{display:block;width:74%;background:#fff;border-radius:7px;padding:12px;color:inherit;text-decoration:none}
.news img{width:100%;border-radius:5px;margin-bottom:8px;display:block}.news b{font-weight:500;display:block;overflow-wrap:anywhere}.news span{color:#666;font-size:13px;display:block;overflow-wrap:anywhere}
.web{position:absolute;inset:0;background:#fff;display:flex;flex-direction:column;z-index:2}
.web iframe{flex:1;width:100%;border:0;background:#fff}
.web .title small{display:block;font-size:11px;font-weight:400;color:#666;overflow:hidden;text-overflow:ellipsis}
.toast{position:absolute;left:50%;top:45%;transform:translate(-50%,-50%);background:rgba(40,40,40,.9);color:#fff;border-radius:10px;padding:12px 18px;max-width:80%;text-align:center;z-index:3;font-size:14px;overflow-wrap:anywhere}
.people{width:420px;max-width:calc(100vw - 32px);background:#ededed;border-radius:16px;overflow:hidden;box-shadow:0 16px 48px rgba(0,0,0,.18)}
.people h1{font-size:20px;margin:0;padding:24px 16px 4px}.people p{margin:0;padding:0 16px 16px;color:#666;font-size:14px}
`;
