import { everything, found, ingested, openHouse } from './house.ts'

const steps =
  '<Record type="HKQuantityTypeIdentifierStepCount" sourceName="W" unit="count" value="1" startDate="2026-02-03 08:15:30 +0100"/>'
const outcome = async (file: string) => {
  const house = await openHouse()
  const sent = await ingested(house, house.anna, everything(), file)
  return { ...sent, house, text: JSON.stringify(sent.report) }
}

describe('what is not read is told', () => {
  it.each([
    ['text', 'something else'],
    ['another export', `<HealthData>${steps}</HealthData>`],
    ['text in another piece', `${' '.repeat(40_000)}something else`],
  ])('%s behind the end of an Apple export', async (_, after) => {
    const { state, text, counts } = await outcome(`<HealthData>${steps}</HealthData>${after}`)
    expect([state, counts.rows]).toEqual(['done', 1])
    expect(text).toContain('behind the end of the export')
  })

  it.each([
    ['nothing', ''],
    ['a line', '\n'],
    ['a comment', '<!-- made by hand -->\n'],
  ])('%s behind it is nothing to tell', async (_, after) => {
    expect((await outcome(`<HealthData>${steps}</HealthData>${after}`)).text).not.toContain('behind the end')
  })

  it.each([
    ['an object in place of entries', '{"resourceType":"Bundle","type":"collection","entry":{"resource":{}}}', 1],
    ['a list under another name', '{"resourceType":"Bundle","type":"collection","entries":[{"resource":{}}]}', 1],
    ['an entry of nothing', '{"resourceType":"Bundle","type":"collection","entry":[{}]}', 1],
    ['entries that are none', '{"resourceType":"Bundle","type":"collection","entry":[1,null,"x"]}', 3],
  ])('%s in a Bundle', async (_, file, rows) => {
    const { counts } = await outcome(file)
    const told = [...counts.unmapped, ...counts.rejected].reduce((sum, { count }) => sum + Number(count), 0)
    expect([counts.rows, told]).toEqual([rows, rows])
  })

  it.each([
    ['a Bundle', '{"resourceType":"Bundle","type":"collection","entry":[]}'],
    ['an Apple export', '<HealthData locale="en"></HealthData>'],
  ])('that nothing was found in %s', async (_, file) => {
    const { state, text, counts } = await outcome(file)
    expect([state, counts.rows]).toEqual(['done', 0])
    expect(text).toContain('Nothing was found in the file')
  })
})

describe('one thing is named in several ways – https://hl7.org/fhir/R4/bundle.html#references', () => {
  const uuid = '4c2b1f0e-7d3a-4d2f-9a44-0c6f3f1b2a90'
  const bundleOf = (fullUrl: string, url: string, binaryId?: string) =>
    JSON.stringify({
      resourceType: 'Bundle',
      type: 'collection',
      entry: [
        {
          resource: {
            resourceType: 'DocumentReference',
            status: 'current',
            content: [{ attachment: { contentType: 'text/plain', url } }],
          },
        },
        {
          fullUrl,
          resource: {
            resourceType: 'Binary',
            ...(binaryId === undefined ? {} : { id: binaryId }),
            contentType: 'text/plain',
            data: 'aGVsbG8=',
          },
        },
      ],
    })

  it.each<[string, string, string, string | undefined]>([
    ['a urn in upper case', `urn:uuid:${uuid}`, `urn:UUID:${uuid.toUpperCase()}`, undefined],
    ['the other way round', `urn:UUID:${uuid.toUpperCase()}`, `urn:uuid:${uuid}`, undefined],
    ['a path that begins here', 'http://clinic.example/fhir/Binary/x', './Binary/x', 'x'],
    ['a version', 'http://clinic.example/fhir/Binary/x', 'Binary/x/_history/2', 'x'],
    ['an address', 'http://clinic.example/fhir/Binary/x', 'http://clinic.example/fhir/Binary/x', 'x'],
  ])('%s leads an attachment to its bytes', async (_, fullUrl, url, id) => {
    const { house } = await outcome(bundleOf(fullUrl, url, id))
    const [document] = await found(house.record, 'DocumentReference')
    const [binary] = await found(house.record, 'Binary')
    expect(binary?.id).toBeDefined()
    expect(JSON.stringify(document)).toContain(`"Binary/${binary?.id}"`)
  })
})
