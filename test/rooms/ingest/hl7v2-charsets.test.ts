import { decodeHl7, encodeHl7 } from '../../../src/ingest/hl7v2/decode.ts'
import { everything, found, ingested, openHouse, type TestHouse } from './house.ts'

const text = (charset: string, name: string, id = 'C1') =>
  [
    `MSH|^~\\&|REG|HOSP|KIN|HOME|20240310120000+0000||ADT^A04|${id}|P|2.5.1${charset === '' ? '' : `||||||${charset}`}`,
    `PID|1||4711^^^HOSP^MR||${name}^Ann||19800203|F`,
    '',
  ].join('\r')
const send = async (house: TestHouse, message: Buffer) =>
  (await house.ingest.hl7v2({ grant: everything(), message })).ack
const family = async (house: TestHouse) => {
  const [patient] = await found(house.record, 'Patient', 'identifier=4711')
  return (patient?.name as { family?: string }[] | undefined)?.[0]?.family
}
const said = /ERR\|\|MSH\^1\|100.*MSH-18 names another character set than UTF-8, and the bytes are UTF-8/

describe('bytes that are UTF-8 under the name of another character set', () => {
  it.each(['8859/1', '8859/2', '8859/15', '8859/5'])('%s: are read as UTF-8, and that is said', async charset => {
    const house = await openHouse()
    expect(await send(house, Buffer.from(text(charset, 'Müller')))).toMatch(said)
    expect(await family(house)).toBe('Müller')
    const { report } = await ingested(house, house.anna, everything(), Buffer.from(text(charset, 'Über', 'C2')))
    expect(JSON.stringify(report)).toContain('MSH-18 names another character set than UTF-8')
  })

  it.each<[string, BufferEncoding, string]>([
    ['ASCII', 'utf8', 'utf-8'],
    ['KLINGON', 'utf8', 'utf-8'],
    ['KLINGON', 'latin1', 'windows-1252'],
  ])('%s has no such letters: how they were read is said', async (charset, bytes, encoding) => {
    const house = await openHouse()
    const ack = await send(house, Buffer.from(text(charset, 'Müller'), bytes))
    expect(ack).toContain(`MSH-18 names no character set that has letters beyond ASCII; they were read as ${encoding}.`)
    expect(await family(house)).toBe('Müller')
  })

  it.each<[string, Buffer]>([
    ['of another set', Buffer.from(text('UNICODE UTF-8', 'M\xfcller'), 'latin1')],
    ['that were cut', Buffer.from(text('UNICODE UTF-8', 'M\xc3ller'), 'latin1')],
    [
      'behind a byte order mark',
      Buffer.from(text('', '\xef\xbb\xbfM\xfcller').replace(/(.*?)(\xef\xbb\xbf)/s, '$2$1'), 'latin1'),
    ],
  ])('bytes that are no UTF-8 where it is named are lost, and that is said: %s', async (_, bytes) => {
    const house = await openHouse()
    expect(await send(house, bytes)).toMatch(
      /ERR\|\|MSH\^1\|100.*Some bytes are not of the character set that is named/,
    )
    expect(await family(house)).toBe('M\ufffdller')
    const { report } = await ingested(house, house.anna, everything(), Buffer.from(bytes))
    expect(JSON.stringify(report)).toContain('Some bytes are not of the character set')
  })

  it.each<[string, Buffer]>([
    ['8859/1', Buffer.from(text('8859/1', 'M\xfcller'), 'latin1')],
    ['8859/1 with two letters in a row that begin no UTF-8', Buffer.from(text('8859/1', 'M\xfc\xdfller'), 'latin1')],
    ['8859/1, all ASCII', Buffer.from(text('8859/1', 'Mueller'))],
    ['UNICODE UTF-8', Buffer.from(text('UNICODE UTF-8', 'Müller'))],
    ['no name of one', Buffer.from(text('', 'Müller'))],
  ])('%s as it is named is read so, without a word', async (_, bytes) => {
    const house = await openHouse()
    expect(await send(house, bytes)).not.toMatch(/MSH-18/)
    expect(await family(house)).toMatch(/^M(ü|ue|üß)ller$/)
  })
})

describe('a message of a batch that waits keeps its character set', () => {
  it.each([
    ['windows-1252, unnamed', '', 'M\\XFC\\ller \xfc', 'Müller ü'],
    ['8859/1', '8859/1', 'M\\XFC\\ller \xfc', 'Müller ü'],
    ['8859/2', '8859/2', 'M\\XB3\\ller \xb3', 'Młller ł'],
    ['8859/5', '8859/5', '\\XBF\\ \xd1', 'П б'],
  ])('%s: escapes and letters are what they were', async (_, charset, name, expected) => {
    const house = await openHouse()
    await send(house, Buffer.from(text('', expected)))
    const doubtful = text(charset, name, 'C9').replace('19800203', '19800302')
    const batch = Buffer.from(
      `BHS|^~\\&|REG|HOSP\r${doubtful}${text(charset, name, 'C8').replace('4711', '4712')}BTS|2\r`,
      'latin1',
    )
    await send(house, batch)
    const { review } = house.ingest.people
    const [held] = await review.list(everything())
    await review.decide({ grant: everything(), id: held?.id ?? '', decision: 'new' })
    const names = (await found(house.record, 'Patient', 'birthdate=1980')).map(
      ({ name: of }) => (of as { family: string }[])[0]?.family,
    )
    expect(names).toEqual([expected, expected, expected])
  })

  it.each(['windows-1252', 'iso-8859-2', 'iso-8859-5', 'shift_jis', 'utf-16le', 'gb18030'])(
    'what cannot be written again in %s by itself is kept in UTF-8',
    encoding => {
      const bytes = encodeHl7(text('', 'Ω漢'), new TextDecoder(encoding))
      expect([...decodeHl7(bytes).texts].join('')).toBe(text('', 'Ω漢'))
    },
  )
})
