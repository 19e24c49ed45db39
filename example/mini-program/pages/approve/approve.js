const textsOf = require('./texts');

const { iam } = getApp();

/* How the page was entered, in WeChat's numbers. */
const CRAWLER = 1129;
const SINGLE_PAGE = 1154;

/* After these the person may try again on this page. */
const retryable = ['network_error', 'rate_limited', 'wechat_login_failed'];
const askAgain = [
  'user_code_invalid',
  'phone_code_invalid',
  'phone_number_taken',
  'network_error',
  'rate_limited',
];

/*
 * Asks the person about a sign-in on another device. To open the page confirms nothing: whoever sent the code to somebody
 * else would be signed in as them.
 */
Page({
  data: {
    texts: {},
    /* opening, asking, confirmed, denied, stopped (see `notice`) */
    state: 'opening',
    approval: null,
    title: '',
    facts: [],
    typed: '',
    isBusy: false,
    canRetry: false,
    problem: '',
    notice: '',
  },

  onLoad(query) {
    const { language } = wx.getAppBaseInfo();
    this.setData({ texts: textsOf(language) });
    this.open(query.scene);
  },

  /* A second scan while the program runs is a hot start: the page may be there already, and then `onLoad` is not called. */
  onShow() {
    const { path, query } = wx.getEnterOptionsSync();
    const isHere = /pages\/approve\/approve$/.test(path || '');
    if (isHere && query && query.scene !== undefined && query.scene !== this.opened) this.open(query.scene);
  },

  async open(encoded) {
    this.opened = encoded;
    this.setData({ state: 'opening', approval: null, typed: '', problem: '', notice: '', canRetry: false });
    const { texts } = this.data;
    const { scene: entry } = wx.getEnterOptionsSync();
    if (entry === SINGLE_PAGE) return this.stop(texts.singlePage);
    if (entry === CRAWLER || !encoded) return this.stop(texts.noCode);
    try {
      const approval = await iam.openApproval(decodeURIComponent(encoded));
      if (this.opened === encoded) this.ask(approval);
    } catch (error) {
      if (this.opened === encoded) this.stop(this.textOf(error), retryable.includes(error.code));
    }
  },

  ask(approval) {
    const { texts } = this.data;
    const { account, site, application, browser, address, asked_at: at } = approval;
    const signIn =
      application === undefined ? texts.signIn : texts.signInTo.replace('{application}', () => application);
    this.setData({
      state: 'asking',
      approval,
      title: account === undefined ? signIn : texts.link.replace('{account}', () => account),
      facts: [
        { name: texts.site, value: site },
        ...(application === undefined ? [] : [{ name: texts.application, value: application }]),
        { name: texts.browser, value: browser },
        { name: texts.address, value: address },
        { name: texts.time, value: new Date(at).toLocaleString() },
      ],
    });
  },

  stop(notice, canRetry = false) {
    this.setData({ state: 'stopped', notice, canRetry });
  },

  retry() {
    return this.open(this.opened);
  },

  type(event) {
    this.setData({ typed: event.detail.value });
  },

  confirm() {
    return this.answer({ decision: 'confirm' });
  },

  /* The button `getPhoneNumber`. Without a code the person has refused to give the number, and may still confirm without it. */
  confirmWithPhone(event) {
    const { code } = event.detail;
    return code === undefined ? undefined : this.answer({ decision: 'confirm', phoneCode: code });
  },

  deny() {
    return this.answer({ decision: 'deny' });
  },

  async answer(answer) {
    const { approval, typed, isBusy } = this.data;
    if (isBusy || approval === null) return;
    this.setData({ isBusy: true, problem: '' });
    const isTyped = approval.user_code === undefined && answer.decision === 'confirm';
    try {
      await iam.answerApproval(approval.id, { ...answer, ...(isTyped ? { userCode: typed } : {}) });
      this.setData({ state: answer.decision === 'confirm' ? 'confirmed' : 'denied', approval: null });
    } catch (error) {
      if (askAgain.includes(error.code)) this.setData({ problem: this.textOf(error), typed: '' });
      else this.stop(this.textOf(error));
    } finally {
      this.setData({ isBusy: false });
    }
  },

  textOf({ code }) {
    const { problems } = this.data.texts;
    return problems[code] || problems.other;
  },
});
