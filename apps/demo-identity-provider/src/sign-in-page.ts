import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Provider } from 'oidc-provider';
import { DEMO_USERS, signIn } from './people.js';

const LARGEST_FORM = 4096;

/**
 * The provider's one page: name and password, no script at all. GET shows it, POST signs in and
 * goes back to where the caller came from.
 */
export async function answerSignIn(
  provider: Provider,
  consoleOrigin: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const show = (status: number, page: string): void => {
    response
      .writeHead(status, {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        // Browsers hold a form's redirects against form-action, so the way back must be allowed too.
        'content-security-policy': `default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self' ${consoleOrigin}`,
      })
      .end(page);
  };
  let uid: string;
  try {
    ({ uid } = await provider.interactionDetails(request, response));
  } catch {
    show(400, page('This sign-in has ended. Go back and start again.', null));
    return;
  }
  if (request.method !== 'POST') {
    show(200, page('', uid));
    return;
  }
  const form = await formOf(request);
  const user = form && signIn(form.get('username'), form.get('password'));
  if (user === null || user === undefined) {
    show(form === null ? 413 : 401, page('There is no such user, or the password is wrong.', uid));
    return;
  }
  await provider.interactionFinished(
    request,
    response,
    { login: { accountId: user.id } },
    { mergeWithLastSubmission: false },
  );
}

/** Null if it is too large. */
async function formOf(request: IncomingMessage): Promise<URLSearchParams | null> {
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > LARGEST_FORM) return null;
  }
  return new URLSearchParams(text);
}

/** `uid` is of the library's making (URL-safe letters), the rest is ours: nothing here needs escaping. */
function page(message: string, uid: string | null): string {
  const form =
    uid === null
      ? ''
      : `<form method="post" action="/interaction/${uid}">
<p><label>E-mail address <input name="username" type="email" autocomplete="username" required autofocus></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button>Sign in</button></p>
</form>
<p>For trying things out: ${DEMO_USERS.map(({ userName }) => userName).join(', ')}; the password is “demo”.</p>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in (demo)</title>
<h1>Sign in</h1>
<p role="alert">${message}</p>
${form}
</html>
`;
}
