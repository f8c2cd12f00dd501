import { timeOf } from '../../../src/store/mongo/present.ts'

// A token and the clusterTime of its event, from https://www.mongodb.com/docs/manual/reference/change-events/insert/
const token =
  '82635019A0000000012B042C0100296E5A1004AB1154ACACD849A48C61756D70D3B21F463C6F7065726174696F6E54797065003C696E736572740046646F63' +
  '756D656E744B65790046645F69640064635019A078BE67426D7CF4D2000004'

describe('how far a log of changes has come', () => {
  it('stands at the beginning of a token of MongoDB', () => {
    expect(timeOf({ _data: token })).toBe((1_666_193_824n << 32n) + 1n)
    expect(timeOf({ _data: token.toLowerCase() })).toBe((1_666_193_824n << 32n) + 1n)
  })

  it.each([
    undefined,
    null,
    {},
    { _data: '' },
    { _data: '82635019A0' },
    { _data: 82 },
    { _data: '5a00000010730004000000' },
  ])('is not in a token of another make: %j', other => expect(timeOf(other)).toBeUndefined())
})
