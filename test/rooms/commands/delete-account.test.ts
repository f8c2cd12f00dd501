import { checkDeleted } from '../../../src/commands/delete-account.ts'

it('tells when an account that was to be gone is not', () => {
  expect(() => checkDeleted([{ name: 'bert' }], 'anna')).not.toThrow()
  expect(() => checkDeleted([{ name: 'bert' }, { name: 'anna' }], 'anna')).toThrow(
    expect.objectContaining({ kind: 'busy', code: 'command.deletion-waits' }),
  )
})
