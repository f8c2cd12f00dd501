import { wordsOfLogin } from '../../../src/commands/account.ts'

it.each([
  [{ hasPassword: true, hasSecondFactor: false, passkeys: 0 }, 'password'],
  [{ hasPassword: true, hasSecondFactor: true, passkeys: 0 }, 'password and code'],
  [{ hasPassword: true, hasSecondFactor: false, passkeys: 1 }, 'password, 1 passkey'],
  [{ hasPassword: true, hasSecondFactor: true, passkeys: 20 }, 'password and code, 20 passkeys'],
  [{ hasPassword: false, hasSecondFactor: true, passkeys: 2 }, 'no password yet'],
])('an account with %j is logged in to by: %s', (account, words) => {
  expect(wordsOfLogin(account)).toBe(words)
})
