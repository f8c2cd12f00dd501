import { parseTtl } from '../../../src/commands/token.ts'
import { hostGrant } from '../../../src/compose.ts'

describe('what is typed on the command line', () => {
  it.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h', 3_600_000],
    ['365d', 31_536_000_000],
  ])('reads %s as a time to live', (text, ms) => {
    expect(parseTtl(text)).toBe(ms)
  })

  it.each(['', '1', 'h', '0h', '-1h', '1.5h', '1w', '366d', '1h ', '1e3s'])(
    'refuses %j: command.ttl-malformed',
    text => {
      expect(() => parseTtl(text)).toThrow(expect.objectContaining({ code: 'command.ttl-malformed' }))
    },
  )

  it('refuses what is no scope: command.scope-malformed', () => {
    expect(() => hostGrant(['system/*.everything'])).toThrow(
      expect.objectContaining({ code: 'command.scope-malformed' }),
    )
  })
})
