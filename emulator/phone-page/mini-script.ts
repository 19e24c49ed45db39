/** The mini program's part of the phone's script: its approval page asks, and takes the answer. Runs in the browser. */
export const miniScript = `
function openMini(way) {
  act('mini', way).then(function () { show({ name: 'mini' }); }).catch(function () {});
}
function answerMini(decision) {
  var typed = byId('user-code');
  var answer = { decision: decision };
  if (decision === 'confirm' && typed) answer.userCode = typed.value;
  if (decision === 'confirm' && byId('with-phone').checked) answer.withPhone = true;
  document.querySelectorAll('.choice button').forEach(function (button) { button.disabled = true; });
  act('mini/answer', answer).then(function () { show({ name: 'mini' }); }).catch(function () { show({ name: 'mini' }); });
}
function fact(name, value) {
  return el('div', { className: 'fact' }, el('dt', { textContent: name }), el('dd', { textContent: value }));
}
function question(approval, problem) {
  var box = el('div', { className: 'card question', 'data-testid': 'approval' });
  var named = approval.account ? 'account' : approval.application ? 'application' : '';
  var ask = { account: texts.linkAsk, application: texts.signInToAsk, '': texts.signInAsk }[named];
  box.append(el('b', { textContent: ask.replace('{' + named + '}', function () { return approval[named]; }) }));
  box.append(el('dl', {}, fact(texts.site, approval.site), fact(texts.browser, approval.browser), fact(texts.address, approval.address),
    fact(texts.time, new Date(approval.asked_at).toLocaleString())));
  if (problem) box.append(el('p', { className: 'wrong', role: 'alert', 'data-testid': 'problem', textContent: problem === 'user_code_invalid' ? texts.wrongNumber : problem }));
  if (approval.user_code) box.append(el('p', { textContent: texts.compare }), el('p', { className: 'number', textContent: approval.user_code }));
  else box.append(el('label', { 'for': 'user-code', textContent: texts.typeNumber }),
    el('input', { id: 'user-code', 'data-testid': 'user-code', inputmode: 'numeric', autocomplete: 'off' }));
  box.append(el('label', { className: 'check' }, el('input', { id: 'with-phone', type: 'checkbox', 'data-testid': 'with-phone' }), ' ' + texts.withPhone));
  box.append(el('div', { className: 'choice' },
    el('button', { className: 'go quiet', type: 'button', 'data-testid': 'mini-deny', textContent: texts.refuse, onclick: function () { answerMini('deny'); } }),
    el('button', { className: 'go', type: 'button', 'data-testid': 'mini-confirm', textContent: texts.agree, onclick: function () { answerMini('confirm'); } })));
  return box;
}
views.mini = function (screen) {
  var visit = state.mini;
  title(visit ? visit.name : texts.mini, { name: 'chats' });
  if (!visit) return screen.append(el('p', { className: 'hint', textContent: texts.miniClosed }));
  var shown = visit.screen;
  if (shown.approval) return screen.append(question(shown.approval, shown.code));
  screen.append(el('div', { className: 'card', 'data-testid': 'mini', 'data-kind': shown.kind },
    el('b', { textContent: texts['mini_' + shown.kind] }),
    el('p', { textContent: shown.kind === 'problem' ? shown.code : visit.page })));
};
`;
