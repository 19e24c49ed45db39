const { iam } = getApp();

Page({
  data: { nickname: '', problem: '' },

  async signIn() {
    try {
      const { nickname } = await iam.signIn();
      this.setData({ nickname: nickname || '微信用户', problem: '' });
    } catch (error) {
      this.setData({ problem: error.code || 'unknown' });
    }
  },
});
