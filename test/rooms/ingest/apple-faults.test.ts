import { observationsOf, readApple } from './reading.ts'

const row = (value: number, name = 'Watch') =>
  ` <Record type="HKQuantityTypeIdentifierHeartRate" sourceName="${name}" unit="count/min" startDate="2024-03-10 0${value % 10}:00:00 +0000" endDate="2024-03-10 0${value % 10}:00:00 +0000" value="${value}"/>\n`
const before = row(61)
const after = row(63)
const head = '<?xml version="1.0" encoding="UTF-8"?>\n'
const document = (middle: string, end = '</HealthData>\n', prolog = '') =>
  `${head}${prolog}<HealthData locale="en_GB">\n <ExportDate value="2024-05-01 10:00:00 +0000"/>\n${before}${middle}${after}${end}`
const nested = (children: string) => row(62).replace('/>', `>${children}</Record>`)

async function* pieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(content: string | Buffer, size = 61) {
  const outcomes = await readApple(pieces(Buffer.from(content), size))
  const resources = observationsOf(outcomes)
  return {
    outcomes,
    values: resources.map(({ valueQuantity }) => Number((valueQuantity as { value: number } | undefined)?.value)),
    devices: resources.map(({ device }) => (device as { display: string } | undefined)?.display),
    warned: outcomes.some(({ kind }) => kind === 'warning'),
    rejected: outcomes.filter(({ kind }) => kind === 'rejected'),
  }
}

describe('a fault in an Apple Health export costs its record at most', () => {
  it.each([
    ['a bare &', 'Ann & Bob', 'Ann & Bob'],
    ['an &amp without its semicolon', 'Ann &amp Bob', 'Ann &amp Bob'],
    ['an & at the end', 'Ann &', 'Ann &'],
    ['a reference nobody declared', 'A &nbsp; B', 'A &nbsp; B'],
    ['a reference to nothing', 'A &; B', 'A &; B'],
    ['many of them', 'A & B && C &# &#; &#x; D', 'A & B && C &# &#; &#x; D'],
    ['a < before a space', 'x < y', 'x < y'],
    ['a < before a digit', 'x <3', 'x <3'],
    ['a control character', 'A\x0bB', 'A B'],
    ['a reference to a control character', 'A&#11;B', 'A B'],
    ['a reference beyond Unicode', 'A&#x110000;B', 'A B'],
  ])('%s in an attribute is mended', async (_, name, shown) => {
    for (const size of [7, 100_000]) {
      const { values, devices, warned, rejected } = await read(document(row(62, name)), size)
      expect({ values, device: devices[1], warned, rejected }).toEqual({
        values: [61, 62, 63],
        device: shown,
        warned: true,
        rejected: [],
      })
    }
  })

  it.each([
    ['a < before a name in an attribute', row(62, 'x <y')],
    ['quotes within an attribute', row(62, 'The "big" one')],
    ['a quote that is missing', row(62).replace('Watch"', 'Watch')],
    ['a last quote that is missing', row(62).replace('"62"', '"62')],
    ['a > that is missing', row(62).replace('/>', '')],
    ['an end tag that was never opened', nested('</Foo>')],
    ['an end tag that is missing', nested('').replace('</Record>', '')],
    ['a declaration in the middle', nested('<!ELEMENT x>').replace('<!ELEMENT', '<b <!ELEMENT')],
    ['a bracket that opens nothing', nested('5 <b 6')],
  ])('%s', async (_, middle) => {
    for (const size of [7, 100_000]) {
      const { values, warned, rejected } = await read(document(middle), size)
      expect(values.filter(value => value !== 62)).toEqual([61, 63])
      expect(warned).toBe(true)
      expect(rejected.length).toBe(values.includes(62) ? 0 : 1)
      expect(values.length + rejected.length).toBeGreaterThanOrEqual(3)
    }
  })

  it.each([
    ['in element text', nested('Ann & Bob < Carl')],
    ['in a child', nested('<MetadataEntry key="HKFoo & Bar" value="R&D"/>')],
    ['between rows', `${row(62)} & < stray text \n`],
    ['an end tag between rows', `${row(62)}</Record>\n`],
    ['an end tag of nothing between rows', `${row(62)}</b>\n`],
    ['a declaration between rows', `${row(62)}<!DOCTYPE x>\n`],
    ['a comment that is none', `${row(62)}<!-- a -- b -->\n`],
  ])('a fault %s costs nothing', async (_, middle) => {
    for (const size of [7, 100_000])
      expect(await read(document(middle), size)).toMatchObject({ values: [61, 62, 63], warned: true, rejected: [] })
  })

  it.each([
    [
      'in the document type',
      document(row(62), '</HealthData>', '<!DOCTYPE HealthData [ <!-- A & B --> <!ELEMENT X (A & B)> ]>\n'),
    ],
    ['after the end', `${document(row(62))} & <junk`],
    ['in the last row', document(row(62)).replace(after, row(63, 'A & B'))],
    ['in the end tag', document(row(62), '</HealthData')],
    ['in the name of the end tag', document(row(62), '</Healt')],
  ])('a fault %s does not make the file cut off', async (_, content) => {
    expect((await read(content)).values).toEqual([61, 62, 63])
  })

  it('several faults of several kinds cost several records', async () => {
    const middle = [row(62, 'A & B'), row(64, '"'), row(65), row(66).replace('"66"', '"66'), row(67)].join('')
    const { values, rejected } = await read(document(middle))
    expect(values).toEqual([61, 62, 65, 67, 63])
    expect(rejected).toEqual([
      { kind: 'rejected', row: 'HKQuantityTypeIdentifierHeartRate', reason: 'structure-unknown' },
      { kind: 'rejected', row: 'HKQuantityTypeIdentifierHeartRate', reason: 'structure-unknown' },
    ])
  })

  it('a correlation that is broken leaves the records within it', async () => {
    const broken = ` <Correlation type="HKCorrelationTypeIdentifierFood" sourceName="a "b" c">\n ${row(62)} </Correlation>\n`
    const { values, rejected } = await read(document(broken))
    expect(values).toEqual([61, 62, 63])
    expect(rejected).toHaveLength(1)
  })

  it.each([
    ['of a kind that nothing reads', 'Foo', 'Record.Foo'],
    ['of metadata', 'MetadataEntry key="k" value="v"', undefined],
    ['of metadata of many names', 'MetadataEntry key="k%" value="v"', 'Record.MetadataEntry'],
    [
      'among beats',
      'HeartRateVariabilityMetadataList><Foo/></HeartRateVariabilityMetadataList',
      'HeartRateVariabilityMetadataList.Foo',
    ],
  ])('a hundred thousand parts %s cost nothing but themselves, and are told', async (_, part, told) => {
    const children = Array.from(
      { length: 150_000 },
      (_, i) => `<${part.replace('%', String(i))}${part.includes('></') ? '>' : '/>'}`,
    )
    const { values, outcomes } = await read(document(nested(children.join(''))), 65_536)
    expect(values).toEqual([61, 62, 63])
    const rows = outcomes.flatMap(outcome => (outcome.kind === 'unmapped' ? [outcome.row] : []))
    if (told === undefined) expect(rows).toEqual([])
    else expect(rows).toContain(told)
  })

  it('a file that is cut off is cut off, wherever that is', async () => {
    for (const end of [
      '',
      ' <Record type="x',
      ' <Record type="x">\n  </Rec',
      ' <Workout workoutActivityType="x">\n </',
    ])
      await expect(read(document(row(62), end))).rejects.toMatchObject({ code: 'ingest.truncated' })
  })
})

describe('the encoding of an export', () => {
  const latin = (text: string) => Buffer.from(text, 'latin1')

  it('may be one that was not declared: the lines in it are read as windows-1252', async () => {
    const { values, devices, warned } = await read(latin(document(row(62, 'Müller\x80'))))
    expect({ values, device: devices[1], warned }).toEqual({ values: [61, 62, 63], device: 'Müller€', warned: true })
  })

  it('may change in the middle of the file', async () => {
    const mixed = Buffer.concat([
      latin(document(row(62, 'Müller')).split(after)[0] ?? ''),
      Buffer.from(row(63, 'Zoë ✓')),
      Buffer.from('</HealthData>'),
    ])
    for (const size of [1, 3, 61, 100_000])
      expect((await read(mixed, size)).devices).toEqual(['Watch', 'Müller', 'Zoë ✓'])
  })

  it('is the declared one', async () => {
    const content = latin(document(row(62, 'Müller')).replace('UTF-8', 'ISO-8859-1'))
    expect(await read(content)).toMatchObject({ devices: ['Watch', 'Müller', 'Watch'], warned: false })
  })

  it('is not the declared one where that cannot be', async () => {
    for (const claimed of ['UTF-16', 'x-unheard-of'])
      expect(await read(document(row(62, 'Zoë')).replace('UTF-8', claimed))).toMatchObject({
        devices: ['Watch', 'Zoë', 'Watch'],
      })
  })

  it('may be UTF-16 in either order, with its mark or without, and UTF-8 with a mark', async () => {
    const text = document(row(62, 'Zoë')).replaceAll('\n', '\r\n')
    const wide = Buffer.from(text, 'utf16le')
    const swapped = Buffer.from(wide).swap16()
    for (const content of [
      wide,
      swapped,
      Buffer.from(`\uFEFF${text}`, 'utf16le'),
      Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(),
      Buffer.from(`\uFEFF${text}`),
    ])
      expect(await read(content)).toMatchObject({ devices: ['Watch', 'Zoë', 'Watch'], warned: false })
  })

  it('costs a letter where bytes are no text at all', async () => {
    const content = Buffer.from(document(row(62, 'A~B')))
    content[content.indexOf('~')] = 0x81
    expect((await read(content)).values).toEqual([61, 62, 63])
  })
})
