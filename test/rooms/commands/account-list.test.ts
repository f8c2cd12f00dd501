import { wordsOfLogin } from '../../../src/commands/account.ts'

it.each([
  [{ hasPassword: true, hasSecondFactor: false, passkeys: 0, links: 0 }, 'password'],
  [{ hasPassword: true, hasSecondFactor: true, passkeys: 0, links: 0 }, 'password and code'],
  [{ hasPassword: true, hasSecondFactor: false, passkeys: 1, links: 0 }, 'password, 1 passkey'],
  [{ hasPassword: true, hasSecondFactor: true, passkeys: 20, links: 0 }, 'password and code, 20 passkeys'],
  [{ hasPassword: true, hasSecondFactor: false, passkeys: 1, links: 1 }, 'password, 1 passkey, 1 linked login'],
  [{ hasPassword: true, hasSecondFactor: true, passkeys: 0, links: 2 }, 'password and code, 2 linked logins'],
  [{ hasPassword: false, hasSecondFactor: true, passkeys: 2, links: 1 }, 'no password yet'],
])('an account with %j is logged in to by: %s', (account, words) => {
  expect(wordsOfLogin(account)).toBe(words)
})
