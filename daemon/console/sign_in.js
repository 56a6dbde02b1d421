import {element} from './element.js';
import {t} from './text.js';
import {session, signIn} from './server.js';

/** The form; `enter` runs once somebody is signed in. */
export function showSignIn(enter) {
  const locked = session.state !== 'ready';
  const problem = element('p', {class: 'notice bad', role: 'alert', hidden: true});
  const name = element('input', {id: 'name', name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', required: true});
  const password = element('input', {id: 'password', type: 'password', autocomplete: 'current-password', required: true});
  const button = element('button', {type: 'submit', class: 'first'}, t('sign_in'));
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.hidden = true;
    try {
      await signIn(name.value.trim().toLowerCase(), password.value);
      await enter();
    } catch (refused) {
      const minutes = Math.ceil((refused.retryAfter || 60) / 60);
      const known = {refused: 'sign_in_refused', wait: 'sign_in_wait', locked: 'locked_short'}[refused.code];
      problem.textContent = known ? t(known, {count: minutes}) : t('failed', {why: refused.message});
      problem.hidden = false;
      password.value = '';
      button.disabled = false;
      password.focus();
    }
  };
  return element('main', {id: 'content', class: 'narrow'},
    element('h1', {tabindex: -1}, locked ? t('locked_title') : t('sign_in')),
    locked
      ? element('div', {class: 'notice attention'}, element('p', {}, t('locked_text')), element('code', {}, 'sudo clinic-gateway unlock'))
      : element('form', {onsubmit: submit}, problem,
        element('div', {class: 'field'}, element('label', {for: 'name'}, t('name')), name),
        element('div', {class: 'field'}, element('label', {for: 'password'}, t('password')), password),
        button,
        element('p', {class: 'quiet small actions'}, t('sign_in_help'))));
}
